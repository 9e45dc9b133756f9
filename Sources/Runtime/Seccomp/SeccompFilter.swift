import CLinux
import LinuxSystem
import OCI

/// A compiled seccomp filter: what the shim hands to seccomp(2).
package struct SeccompFilter: Equatable, Sendable {
    /// An array of `struct sock_filter`, eight bytes each, in the machine's byte order.
    package let program: [UInt8]
    /// SECCOMP_FILTER_FLAG_*.
    package let flags: UInt32

    package init(program: [UInt8], flags: UInt32) {
        self.program = program
        self.flags = flags
    }

    package var instructionCount: Int { program.count / FilterInstruction.size }

    /// Whether loading the filter gives a listener's descriptor, which must go to the configuration's `listenerPath`.
    package var hasListener: Bool { flags & Flag.newListener != 0 }

    /// BPF_MAXINSNS: the kernel refuses a longer program.
    package static let maximumInstructions = 4096

    /// The bits of <linux/seccomp.h>.
    package enum Flag {
        package static let log: UInt32 = 1 << 1
        package static let specAllow: UInt32 = 1 << 2
        package static let newListener: UInt32 = 1 << 3
        package static let waitKillableRecv: UInt32 = 1 << 5
    }

    /// Compiles a configuration with libseccomp, and makes the filter behave as runc's does where libseccomp alone would
    /// not: a call that is newer than the profile gets ENOSYS, so that programs fall back to what they used before
    /// instead of failing with EPERM (see `SeccompPrelude`).
    ///
    /// As in runc, a name that nobody knows is skipped, and a rule whose action is the default one says nothing.
    package static func compile(_ configuration: SeccompConfiguration) throws -> SeccompFilter {
        try validate(configuration)
        let defaultAction = returnValue(configuration.defaultAction, configuration.defaultErrnoRet)
        let context = try LibseccompContext(defaultAction: defaultAction)
        for architecture in configuration.architectures { try context.add(architecture) }
        // Below that a tree gains nothing, and libseccomp up to 2.5.4 fails on a tree without rules.
        if configuration.syscalls.reduce(0, { $0 + $1.names.count }) > 32 { try context.optimize() }
        var prelude = SeccompPrelude(configuration: configuration)
        let conditions = NarrowConditions(configuration.syscalls)
        for rule in configuration.syscalls {
            let action = returnValue(rule.action, rule.errnoRet)
            for name in rule.names {
                let number = seccomp_syscall_resolve_name(name)
                if number == -1 {
                    prelude.noteUnknown(name, action: action, isConditional: !rule.args.isEmpty)
                } else if action != defaultAction {
                    for set in try conditions.alternatives(for: name, rule.args) {
                        try context.add(name, number, action, set)
                    }
                }
            }
        }
        let exported = readingZero(try context.export(), inPlaceOf: conditions.zeroHalves)
        let program = prelude.instructions(defaultAction: defaultAction).flatMap(\.bytes) + exported
        let filter = SeccompFilter(program: program, flags: flags(of: configuration))
        guard filter.instructionCount <= maximumInstructions else {
            throw EngineError(
                .invalid,
                "seccomp profile too large: it needs \(filter.instructionCount) instructions, the kernel takes \(maximumInstructions)"
            )
        }
        return filter
    }

    /// A program that takes the upper halves of these arguments for zero. Its comparisons are then about 32 bits.
    private static func readingZero(_ program: [UInt8], inPlaceOf arguments: Set<UInt32>) -> [UInt8] {
        var program = program
        for argument in arguments {
            let load = FilterInstruction.loadUpperHalf(of: argument).bytes
            for start in stride(from: 0, to: program.count - load.count + 1, by: load.count) {
                let place = start..<start + load.count
                if program[place].elementsEqual(load) {
                    program.replaceSubrange(place, with: FilterInstruction.loadZero.bytes)
                }
            }
        }
        return program
    }

    /// The filter's 32-bit answer: SECCOMP_RET_*, whose values libseccomp shares.
    static func returnValue(_ action: SeccompConfiguration.Action, _ errno: UInt32?) -> UInt32 {
        switch action {
        case .kill, .killThread: 0
        case .killProcess: 0x8000_0000
        case .trap: 0x0003_0000
        case .errno: 0x0005_0000 | (errno ?? UInt32(EPERM)) & 0xFFFF
        case .trace: 0x7FF0_0000 | (errno ?? UInt32(EPERM)) & 0xFFFF
        case .allow: 0x7FFF_0000
        case .log: 0x7FFC_0000
        case .notify: 0x7FC0_0000
        }
    }

    private static func flags(of configuration: SeccompConfiguration) -> UInt32 {
        // The flag spares programs the slow mitigation of speculative store bypass that older kernels tied to seccomp.
        var flags = (configuration.flags ?? [.specAllow]).reduce(into: UInt32(0)) { bits, flag in
            switch flag {
            // The shim has one thread when it loads the filter.
            case .tsync: break
            case .log: bits |= Flag.log
            case .specAllow: bits |= Flag.specAllow
            case .waitKillableRecv: bits |= Flag.waitKillableRecv
            }
        }
        if configuration.syscalls.contains(where: { $0.action == .notify }) { flags |= Flag.newListener }
        return flags
    }

    private static func validate(_ configuration: SeccompConfiguration) throws(EngineError) {
        let notified = configuration.syscalls.filter { $0.action == .notify }
        if configuration.defaultAction == .notify {
            throw EngineError(.invalid, "invalid seccomp profile: SCMP_ACT_NOTIFY as the default action")
        }
        // Sending the listener's descriptor to the agent takes a write that nobody could answer yet.
        if notified.contains(where: { $0.names.contains("write") }) {
            throw EngineError(.invalid, "invalid seccomp profile: SCMP_ACT_NOTIFY cannot be used for the write syscall")
        }
        if !notified.isEmpty, configuration.listenerPath == nil {
            throw EngineError(.invalid, "invalid seccomp profile: SCMP_ACT_NOTIFY without \"listenerPath\"")
        }
        // The kernel's answer would be a bare EINVAL.
        if notified.isEmpty, configuration.flags?.contains(.waitKillableRecv) ?? false {
            throw EngineError(
                .invalid,
                "invalid seccomp profile: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV without a rule for SCMP_ACT_NOTIFY"
            )
        }
    }
}

/// The owner of a libseccomp filter under construction.
private struct LibseccompContext: ~Copyable {
    private let raw: scmp_filter_ctx

    /// The answer to calls of an architecture that was not added is libseccomp's default: the thread is killed. The
    /// attributes that only matter when libseccomp itself loads the filter (no_new_privs, threads) stay as they are.
    init(defaultAction: UInt32) throws(EngineError) {
        guard let raw = seccomp_init(defaultAction) else {
            throw EngineError(
                .unsupported,
                "creating a seccomp filter: libseccomp or the kernel refuses the default action"
            )
        }
        self.raw = raw
    }

    deinit { seccomp_release(raw) }

    func add(_ architecture: SeccompConfiguration.Architecture) throws(EngineError) {
        let token = seccomp_arch_resolve_name(architecture.libseccompName)
        guard token != 0 else {
            throw EngineError(.unsupported, "seccomp architecture \(architecture.rawValue): unknown to this libseccomp")
        }
        let result = seccomp_arch_add(raw, token)
        if result == -EEXIST { return }
        try LibseccompContext.check(result, "seccomp architecture \(architecture.rawValue)")
    }

    /// A balanced tree of the calls' numbers instead of a list.
    func optimize() throws(EngineError) {
        try LibseccompContext.check(seccomp_attr_set(raw, SCMP_FLTATR_CTL_OPTIMIZE, 2), "optimizing a seccomp filter")
    }

    /// One rule, whose conditions are about different arguments.
    func add(_ name: String, _ number: CInt, _ action: UInt32, _ conditions: [SeccompConfiguration.Argument])
        throws(EngineError)
    {
        let comparisons = conditions.map(\.comparison)
        try LibseccompContext.check(
            seccomp_rule_add_array(raw, action, number, CUnsignedInt(comparisons.count), comparisons),
            "seccomp rule for \(name)"
        )
    }

    /// The program's bytes.
    func export() throws -> [UInt8] {
        let file = try FileDescriptor.inMemory("seccomp filter")
        try LibseccompContext.check(seccomp_export_bpf(raw, file.raw), "compiling a seccomp filter")
        try file.rewind()
        return try file.readAll()
    }

    /// libseccomp returns negative error numbers.
    private static func check(_ result: CInt, _ operation: String) throws(EngineError) {
        if result < 0 { throw EngineError(.failed, "\(operation): \(SystemError.text(-result))") }
    }
}

extension SeccompConfiguration.Argument {
    fileprivate var comparison: scmp_arg_cmp {
        scmp_arg_cmp(arg: index, op: op.comparison, datum_a: value, datum_b: valueTwo)
    }
}

extension SeccompConfiguration.Operator {
    fileprivate var comparison: scmp_compare {
        switch self {
        case .notEqual: SCMP_CMP_NE
        case .less: SCMP_CMP_LT
        case .lessOrEqual: SCMP_CMP_LE
        case .equal: SCMP_CMP_EQ
        case .greaterOrEqual: SCMP_CMP_GE
        case .greater: SCMP_CMP_GT
        case .maskedEqual: SCMP_CMP_MASKED_EQ
        }
    }
}
