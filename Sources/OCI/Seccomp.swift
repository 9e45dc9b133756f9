/// Which system calls a container may make: the runtime specification's `linux.seccomp` (config-linux.md#seccomp).
package struct SeccompConfiguration: Equatable, Sendable {
    /// What happens to a call that no rule names.
    package var defaultAction: Action
    /// The error number of `defaultAction` (errno and trace only); EPERM where there is none.
    package var defaultErrnoRet: UInt32?
    /// The architectures besides the machine's own whose calls are filtered; calls of any other kill.
    package var architectures: [Architecture]
    /// Flags for seccomp(2). Nil and empty differ: runtimes set `specAllow` where the configuration says nothing.
    package var flags: [Flag]?
    /// The Unix socket that gets the listener's descriptor where a rule's action is `notify`.
    package var listenerPath: String?
    /// Sent with the descriptor, uninterpreted.
    package var listenerMetadata: String?
    package var syscalls: [Rule]

    package enum Action: String, CaseIterable, Sendable {
        case kill = "SCMP_ACT_KILL"
        case killProcess = "SCMP_ACT_KILL_PROCESS"
        case killThread = "SCMP_ACT_KILL_THREAD"
        case trap = "SCMP_ACT_TRAP"
        case errno = "SCMP_ACT_ERRNO"
        case trace = "SCMP_ACT_TRACE"
        case allow = "SCMP_ACT_ALLOW"
        case log = "SCMP_ACT_LOG"
        case notify = "SCMP_ACT_NOTIFY"

        /// Whether the action hands an error number on.
        package var takesErrno: Bool { self == .errno || self == .trace }
    }

    package enum Architecture: String, CaseIterable, Sendable {
        case x86 = "SCMP_ARCH_X86"
        case x86_64 = "SCMP_ARCH_X86_64"
        case x32 = "SCMP_ARCH_X32"
        case arm = "SCMP_ARCH_ARM"
        case aarch64 = "SCMP_ARCH_AARCH64"
        case mips = "SCMP_ARCH_MIPS"
        case mips64 = "SCMP_ARCH_MIPS64"
        case mips64n32 = "SCMP_ARCH_MIPS64N32"
        case mipsel = "SCMP_ARCH_MIPSEL"
        case mipsel64 = "SCMP_ARCH_MIPSEL64"
        case mipsel64n32 = "SCMP_ARCH_MIPSEL64N32"
        case ppc = "SCMP_ARCH_PPC"
        case ppc64 = "SCMP_ARCH_PPC64"
        case ppc64le = "SCMP_ARCH_PPC64LE"
        case s390 = "SCMP_ARCH_S390"
        case s390x = "SCMP_ARCH_S390X"
        case parisc = "SCMP_ARCH_PARISC"
        case parisc64 = "SCMP_ARCH_PARISC64"
        case riscv64 = "SCMP_ARCH_RISCV64"
        case loongarch64 = "SCMP_ARCH_LOONGARCH64"
        case m68k = "SCMP_ARCH_M68K"
        case sh = "SCMP_ARCH_SH"
        case sheb = "SCMP_ARCH_SHEB"
    }

    package enum Flag: String, CaseIterable, Sendable {
        case tsync = "SECCOMP_FILTER_FLAG_TSYNC"
        case log = "SECCOMP_FILTER_FLAG_LOG"
        case specAllow = "SECCOMP_FILTER_FLAG_SPEC_ALLOW"
        case waitKillableRecv = "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"
    }

    package enum Operator: String, CaseIterable, Sendable {
        case notEqual = "SCMP_CMP_NE"
        case less = "SCMP_CMP_LT"
        case lessOrEqual = "SCMP_CMP_LE"
        case equal = "SCMP_CMP_EQ"
        case greaterOrEqual = "SCMP_CMP_GE"
        case greater = "SCMP_CMP_GT"
        /// `argument & value == valueTwo`.
        case maskedEqual = "SCMP_CMP_MASKED_EQ"
    }

    /// A condition on one argument of a call.
    package struct Argument: Equatable, Sendable {
        /// 0 to 5.
        package var index: UInt32
        package var value: UInt64
        package var valueTwo: UInt64
        package var op: Operator

        package init(index: UInt32, value: UInt64, valueTwo: UInt64 = 0, op: Operator) {
            self.index = index
            self.value = value
            self.valueTwo = valueTwo
            self.op = op
        }
    }

    /// What happens to the named calls when all the conditions on their arguments hold.
    package struct Rule: Equatable, Sendable {
        package var names: [String]
        package var action: Action
        package var errnoRet: UInt32?
        package var args: [Argument]

        package init(names: [String], action: Action, errnoRet: UInt32? = nil, args: [Argument] = []) {
            self.names = names
            self.action = action
            self.errnoRet = errnoRet
            self.args = args
        }
    }

    package init(
        defaultAction: Action,
        defaultErrnoRet: UInt32? = nil,
        architectures: [Architecture] = [],
        flags: [Flag]? = nil,
        listenerPath: String? = nil,
        listenerMetadata: String? = nil,
        syscalls: [Rule] = []
    ) {
        self.defaultAction = defaultAction
        self.defaultErrnoRet = defaultErrnoRet
        self.architectures = architectures
        self.flags = flags
        self.listenerPath = listenerPath
        self.listenerMetadata = listenerMetadata
        self.syscalls = syscalls
    }
}

extension SeccompConfiguration {
    /// Reads the specification's form. Keys it does not define are ignored; values it does not define are errors.
    package init(_ json: JSON) throws(EngineError) { try self.init(JSONReader(json, "seccomp profile")) }

    /// All but the rules' conditions, which docker's form of a profile reads in its own way.
    package init(_ reader: JSONReader) throws(EngineError) {
        try self.init(header: reader)
        for element in try reader.list("syscalls") { syscalls.append(try Rule(element)) }
    }

    /// Everything except `syscalls`.
    package init(header reader: JSONReader) throws(EngineError) {
        guard let action = try reader.choice("defaultAction", of: Action.self) else {
            throw reader.error("\"defaultAction\" is missing")
        }
        self.init(
            defaultAction: action,
            defaultErrnoRet: try reader.errno("defaultErrnoRet", action),
            architectures: try reader.choices("architectures", of: Architecture.self) ?? [],
            flags: try reader.choices("flags", of: Flag.self),
            listenerPath: try reader.text("listenerPath"),
            listenerMetadata: try reader.text("listenerMetadata")
        )
        if listenerMetadata != nil, listenerPath == nil {
            throw reader.error("\"listenerMetadata\" without \"listenerPath\"")
        }
    }

    package var json: JSON {
        var members: [(key: String, value: JSON)] = [("defaultAction", .string(defaultAction.rawValue))]
        if let defaultErrnoRet { members.append(("defaultErrnoRet", .number(defaultErrnoRet))) }
        if !architectures.isEmpty { members.append(("architectures", .strings(architectures.map(\.rawValue)))) }
        if let flags { members.append(("flags", .strings(flags.map(\.rawValue)))) }
        if let listenerPath { members.append(("listenerPath", .string(listenerPath))) }
        if let listenerMetadata { members.append(("listenerMetadata", .string(listenerMetadata))) }
        if !syscalls.isEmpty { members.append(("syscalls", .array(syscalls.map(\.json)))) }
        return .object(members)
    }
}

extension SeccompConfiguration.Rule {
    package init(_ reader: JSONReader) throws(EngineError) {
        let names = try reader.strings("names") ?? []
        if names.isEmpty { throw reader.error("\"names\" is empty or missing") }
        try self.init(reader, names: names)
    }

    /// Reads everything but the names.
    package init(_ reader: JSONReader, names: [String]) throws(EngineError) {
        if names.contains("") { throw reader.error("an empty system call name") }
        guard let action = try reader.choice("action", of: SeccompConfiguration.Action.self) else {
            throw reader.error("\"action\" is missing")
        }
        self.init(names: names, action: action, errnoRet: try reader.errno("errnoRet", action))
        for element in try reader.list("args") { args.append(try SeccompConfiguration.Argument(element)) }
    }

    var json: JSON {
        var members: [(key: String, value: JSON)] = [("names", .strings(names)), ("action", .string(action.rawValue))]
        if let errnoRet { members.append(("errnoRet", .number(errnoRet))) }
        if !args.isEmpty { members.append(("args", .array(args.map(\.json)))) }
        return .object(members)
    }
}

extension SeccompConfiguration.Argument {
    init(_ reader: JSONReader) throws(EngineError) {
        guard let op = try reader.choice("op", of: SeccompConfiguration.Operator.self) else {
            throw reader.error("\"op\" is missing")
        }
        // Absent numbers are 0, as Go's JSON reads them: docker writes its profiles that way.
        let index: UInt64 = try reader.integer("index") ?? 0
        guard index <= 5 else { throw reader.error("\"index\" is \(index), but a system call has six arguments") }
        self.init(
            index: UInt32(index),
            value: try reader.integer("value") ?? 0,
            valueTwo: try reader.integer("valueTwo") ?? 0,
            op: op
        )
    }

    var json: JSON {
        var members: [(key: String, value: JSON)] = [("index", .number(index)), ("value", .number(value))]
        if valueTwo != 0 { members.append(("valueTwo", .number(valueTwo))) }
        members.append(("op", .string(op.rawValue)))
        return .object(members)
    }
}

extension JSONReader {
    /// The specification asks for an error where the action has no use for the number.
    fileprivate func errno(_ key: String, _ action: SeccompConfiguration.Action) throws(EngineError) -> UInt32? {
        guard let number: UInt64 = try integer(key) else { return nil }
        guard action.takesErrno else { throw error("\"\(key)\" has no meaning for \(action.rawValue)") }
        // The filter's return value has 16 bits for it.
        guard number <= 0xFFFF else { throw error("\"\(key)\" is \(number), which is no error number") }
        return UInt32(number)
    }
}
