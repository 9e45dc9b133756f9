import CLinux
import LinuxSystem
import OCI

/// One instruction of eBPF, in the kernel's 64 bits (linux/bpf.h, struct bpf_insn, little-endian).
package struct BPFInstruction: Equatable, Sendable {
    package let code: UInt64

    /// The operations that a device filter uses; the raw value is the opcode.
    package enum Operation: UInt8, Sendable {
        /// 32 bits from memory at source + offset.
        case load = 0x61
        case andImmediate = 0x54
        case shiftRightImmediate = 0x74
        case moveImmediate = 0xB4
        case move = 0xBC
        /// Compare 32 bits, so that no number is sign-extended.
        case jumpIfNotEqual = 0x56
        case jumpIfEqual = 0x16
        /// If any bit of the immediate is set.
        case jumpIfAnyBit = 0x46
        case exit = 0x95
    }

    package init(
        _ operation: Operation,
        _ destination: UInt8 = 0,
        source: UInt8 = 0,
        offset: Int16 = 0,
        _ immediate: UInt32 = 0
    ) {
        code =
            UInt64(operation.rawValue) | UInt64(destination) << 8 | UInt64(source) << 12
            | UInt64(UInt16(bitPattern: offset)) << 16 | UInt64(immediate) << 32
    }

    package var operation: Operation? { Operation(rawValue: UInt8(truncatingIfNeeded: code)) }
    package var destination: Int { Int(code >> 8 & 0xF) }
    package var source: Int { Int(code >> 12 & 0xF) }
    package var offset: Int { Int(Int16(truncatingIfNeeded: code >> 16)) }
    package var immediate: UInt32 { UInt32(truncatingIfNeeded: code >> 32) }
}

/// The device filter of cgroup v2: a program that the kernel asks about each mknod and open of a device, and that
/// answers 1 for yes (BPF_PROG_TYPE_CGROUP_DEVICE).
package struct DeviceProgram: Equatable, Sendable {
    package let instructions: [BPFInstruction]

    // The registers: 0 is the answer; 1 points to the request (struct bpf_cgroup_dev_ctx) and is scratch afterwards.
    private static let type: UInt8 = 2
    private static let access: UInt8 = 3
    private static let major: UInt8 = 4
    private static let minor: UInt8 = 5

    package init(_ policy: DevicePolicy) {
        var code = [
            BPFInstruction(.load, DeviceProgram.type, source: 1, offset: 0),
            // The type is in the lower 16 bits, the wanted access in the upper.
            BPFInstruction(.move, DeviceProgram.access, source: DeviceProgram.type),
            BPFInstruction(.andImmediate, DeviceProgram.type, 0xFFFF),
            BPFInstruction(.shiftRightImmediate, DeviceProgram.access, 16),
            BPFInstruction(.load, DeviceProgram.major, source: 1, offset: 4),
            BPFInstruction(.load, DeviceProgram.minor, source: 1, offset: 8),
        ]
        for exception in policy.exceptions {
            code += DeviceProgram.block(for: exception, defaultAllows: policy.allowsByDefault)
        }
        code += DeviceProgram.answer(policy.allowsByDefault)
        instructions = code
    }

    private static func answer(_ allowed: Bool) -> [BPFInstruction] {
        [BPFInstruction(.moveImmediate, 0, allowed ? 1 : 0), BPFInstruction(.exit)]
    }

    /// Tests that each jump to the end of the block, and the answer for what passes them all.
    private static func block(for exception: DevicePolicy.Exception, defaultAllows: Bool) -> [BPFInstruction] {
        typealias Test = (operation: BPFInstruction.Operation, register: UInt8, value: UInt32)
        // BPF_DEVCG_DEV_BLOCK is 1, BPF_DEVCG_DEV_CHAR is 2.
        var tests: [Test] = [(.jumpIfNotEqual, type, exception.kind == .block ? 1 : 2)]
        if let major = exception.major { tests.append((.jumpIfNotEqual, DeviceProgram.major, major)) }
        if let minor = exception.minor { tests.append((.jumpIfNotEqual, DeviceProgram.minor, minor)) }
        var prepare: [BPFInstruction] = []
        if defaultAllows {
            // A request is denied as soon as a part of it is.
            prepare = [
                BPFInstruction(.move, 1, source: access),
                BPFInstruction(.andImmediate, 1, exception.access.rawValue),
            ]
            tests.append((.jumpIfEqual, 1, 0))
        } else if exception.access != .all {
            tests.append((.jumpIfAnyBit, access, LinuxResources.Access.all.subtracting(exception.access).rawValue))
        }
        let answer = answer(!defaultAllows)
        let count = prepare.count + tests.count + answer.count
        return prepare
            + tests.enumerated().map { index, test in
                let next = prepare.count + index + 1
                return BPFInstruction(test.operation, test.register, offset: Int16(count - next), test.value)
            } + answer
    }

    /// Loads the program and attaches it to an open cgroup folder; a single program that is attached there already is
    /// replaced in one step, several are detached afterwards.
    package func attach(to cgroup: CInt) throws {
        let program = try load()
        let old = try DeviceProgram.attached(to: cgroup)
        let replaced = old.count == 1 ? try DeviceProgram.open(old[0]) : nil
        let number = DeviceProgram.number(replaced)
        try retrying("attaching the device filter") { linux_bpf_attach_device_program(cgroup, program.raw, number) }
        guard old.count > 1 else { return }
        for id in old {
            let other = try DeviceProgram.open(id)
            try retrying("detaching a device filter") { linux_bpf_detach_device_program(cgroup, other.raw) }
        }
    }

    private static func number(_ descriptor: borrowing FileDescriptor?) -> CInt {
        switch descriptor {
        case .some(let descriptor): descriptor.raw
        case .none: -1
        }
    }

    private func load() throws(EngineError) -> FileDescriptor {
        var log = [CChar](repeating: 0, count: 8192)
        let program = linux_bpf_load_device_program(
            instructions.map(\.code),
            UInt32(instructions.count),
            &log,
            UInt32(log.count)
        )
        if program >= 0 { return FileDescriptor(owning: program) }
        let reason = SystemError.text(errno)
        let text = String(decoding: log.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        let last = text.split(separator: "\n").last.map { " (\($0))" } ?? ""
        throw EngineError(.unsupported, "cannot load the device filter: \(reason)\(last)")
    }

    /// The ids of the programs on this cgroup itself.
    package static func attached(to cgroup: CInt) throws(SystemError) -> [UInt32] {
        // The kernel allows 64 programs on one cgroup.
        var ids = [UInt32](repeating: 0, count: 64)
        let count = try retrying("listing device filters") { linux_bpf_device_programs(cgroup, &ids, 64) }
        return Array(ids.prefix(Int(count)))
    }

    private static func open(_ id: UInt32) throws(SystemError) -> FileDescriptor {
        FileDescriptor(owning: try retrying("opening a device filter") { linux_bpf_open_program(id) })
    }
}
