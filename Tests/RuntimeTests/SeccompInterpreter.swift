@testable import Runtime

/// Runs a compiled filter on one call, as the kernel would: the classic BPF that seccomp(2) takes, and nothing else.
struct SeccompInterpreter {
    /// AUDIT_ARCH_* of <linux/audit.h>.
    enum Machine: UInt32 {
        case x86_64 = 0xC000_003E
        case i386 = 0x4000_0003
        case aarch64 = 0xC000_00B7
        case arm = 0x4000_0028
    }

    /// SECCOMP_RET_*.
    enum Answer: Equatable, CustomStringConvertible {
        case allow, log, trap, killThread, killProcess, notify
        case errno(Int)
        case trace(Int)

        init?(_ value: UInt32) {
            let data = Int(value & 0xFFFF)
            switch value & 0xFFFF_0000 {
            case 0x7FFF_0000: self = .allow
            case 0x7FFC_0000: self = .log
            case 0x7FF0_0000: self = .trace(data)
            case 0x7FC0_0000: self = .notify
            case 0x0005_0000: self = .errno(data)
            case 0x0003_0000: self = .trap
            case 0x8000_0000: self = .killProcess
            case 0: self = .killThread
            default: return nil
            }
        }

        static let eperm = Answer.errno(1)
        static let enosys = Answer.errno(38)

        var description: String {
            switch self {
            case .errno(let code): "errno \(code)"
            case .trace(let code): "trace \(code)"
            case .allow: "allow"
            case .log: "log"
            case .trap: "trap"
            case .killThread: "kill thread"
            case .killProcess: "kill process"
            case .notify: "notify"
            }
        }
    }

    let program: [UInt8]

    init(_ filter: SeccompFilter) { program = filter.program }

    /// Nil where the program is malformed: it jumps out of itself, or has an instruction that the kernel refuses.
    func answer(_ number: UInt32, _ arguments: [UInt64] = [], on machine: Machine = .x86_64) -> Answer? {
        let data = SeccompInterpreter.data(number, machine, arguments)
        var accumulator: UInt32 = 0
        var at = 0
        while (at + 1) * 8 <= program.count {
            let (code, jumpTrue, jumpFalse, operand) = instruction(at)
            at += 1
            func jump(_ condition: Bool) { at += Int(condition ? jumpTrue : jumpFalse) }
            switch code {
            case 0x20:
                guard operand % 4 == 0, Int(operand) + 4 <= data.count else { return nil }
                accumulator = data.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: Int(operand), as: UInt32.self) }
            case 0x00: accumulator = operand
            case 0x05: at += Int(operand)
            case 0x15: jump(accumulator == operand)
            case 0x25: jump(accumulator > operand)
            case 0x35: jump(accumulator >= operand)
            case 0x45: jump(accumulator & operand != 0)
            case 0x54: accumulator &= operand
            case 0x06: return Answer(operand)
            default: return nil
            }
        }
        return nil
    }

    private func instruction(_ index: Int) -> (code: UInt16, jumpTrue: UInt8, jumpFalse: UInt8, operand: UInt32) {
        program.withUnsafeBytes {
            (
                $0.loadUnaligned(fromByteOffset: index * 8, as: UInt16.self), $0[index * 8 + 2], $0[index * 8 + 3],
                $0.loadUnaligned(fromByteOffset: index * 8 + 4, as: UInt32.self)
            )
        }
    }

    /// struct seccomp_data: number, architecture, instruction pointer, six arguments.
    private static func data(_ number: UInt32, _ machine: Machine, _ arguments: [UInt64]) -> [UInt8] {
        var data = withUnsafeBytes(of: number, Array.init) + withUnsafeBytes(of: machine.rawValue, Array.init)
        data += [UInt8](repeating: 0, count: 8)
        for index in 0..<6 { data += withUnsafeBytes(of: index < arguments.count ? arguments[index] : 0, Array.init) }
        return data
    }
}
