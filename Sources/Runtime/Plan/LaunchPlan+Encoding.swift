import LaunchPlan
import OCI

extension LaunchPlan {
    /// The version of the binary form; the shim refuses another.
    package static let version = UInt32(LP_VERSION)

    /// The binary form that `launch_plan.h` describes.
    ///
    /// - Throws: where a text holds a NUL byte: the shim would take what stands before it for the whole.
    package func encoded() throws(EngineError) -> [UInt8] {
        var texts = TextTable(offset: MemoryLayout<lp_header>.stride + steps.count * MemoryLayout<lp_step>.stride)
        let records = steps.map { $0.record(&texts) }
        if texts.holdsNUL { throw EngineError(.invalid, "a path, a name or an argument holds a NUL byte") }
        // A last NUL, so that no text can run past the end.
        texts.bytes.append(0)
        var header = lp_header()
        header.magic = UInt32(LP_MAGIC)
        header.version = LaunchPlan.version
        header.step_count = UInt32(records.count)
        header.steps = UInt32(MemoryLayout<lp_header>.stride)
        header.size = UInt32(texts.offset + texts.bytes.count)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(header.size))
        withUnsafeBytes(of: &header) { bytes.append(contentsOf: $0) }
        records.withUnsafeBytes { bytes.append(contentsOf: $0) }
        return bytes + texts.bytes
    }
}

/// The texts and binary data behind the steps, with their offsets in the whole plan.
struct TextTable {
    let offset: Int
    var bytes: [UInt8] = []
    private(set) var holdsNUL = false

    mutating func add(_ text: String) -> UInt32 {
        let at = UInt32(offset + bytes.count)
        if text.utf8.contains(0) { holdsNUL = true }
        bytes.append(contentsOf: text.utf8)
        bytes.append(0)
        return at
    }

    mutating func add(list: [String]) -> UInt32 {
        align()
        let at = UInt32(offset + bytes.count)
        withUnsafeBytes(of: UInt32(list.count)) { bytes.append(contentsOf: $0) }
        for text in list { _ = add(text) }
        return at
    }

    mutating func add(blob: [UInt8]) -> UInt32 {
        align()
        let at = UInt32(offset + bytes.count)
        bytes.append(contentsOf: blob)
        return at
    }

    // The C side reads counts, group ids and filter instructions in place.
    private mutating func align() { while (offset + bytes.count) % 8 != 0 { bytes.append(0) } }
}

extension LaunchStep {
    fileprivate func record(_ texts: inout TextTable) -> lp_step {
        switch self {
        case .clone(let flags, _): .make(LP_CLONE, numbers: [flags.rawValue])
        case .newSession: .make(LP_NEW_SESSION)
        case .propagation(let kind): .make(LP_PROPAGATION, numbers: [kind.flag | 0x4000 /* MS_REC */])
        case .layer(let path): .make(LP_LAYER, [texts.add(path)])
        case .overlay(let mountPoint, let upper, let work, let options):
            .make(LP_OVERLAY, [texts.add(mountPoint), texts.add(upper), texts.add(work), texts.add(options)])
        case .rootFolder(let path): .make(LP_ROOT_FOLDER, [texts.add(path)])
        case .loopback: .make(LP_LOOPBACK)
        case .oomScore(let score): .make(LP_OOM_SCORE, numbers: [UInt64(bitPattern: Int64(score))])
        case .fileSystem(let type, let target, let source, let options, let attributes):
            .make(
                LP_FILE_SYSTEM,
                [texts.add(type), texts.add(target), texts.add(source), texts.add(options)],
                numbers: [attributes.rawValue]
            )
        case .bind(let bind): bind.record(&texts)
        case .link(let path, let target): .make(LP_LINK, [texts.add(path), texts.add(target)])
        case .device(let path, let kind, let mode, let major, let minor, let uid, let gid):
            .make(LP_DEVICE, [texts.add(path)], numbers: [kind | mode, major, minor, uid, gid].map(UInt64.init))
        case .ownStreams: .make(LP_OWN_STREAMS)
        case .console(let columns, let rows, let uid):
            .make(LP_CONSOLE, numbers: [UInt64(columns), UInt64(rows), UInt64(uid)])
        case .barrier: .make(LP_BARRIER)
        case .enterCgroup(let tasks): .make(LP_ENTER_CGROUP, [texts.add(tasks)])
        case .unshare(let flags): .make(LP_UNSHARE, numbers: [flags.rawValue])
        case .sysctl(let key, let value): .make(LP_SYSCTL, [texts.add(key), texts.add(value)])
        case .mask(let path): .make(LP_MASK, [texts.add(path)])
        case .readOnly(let path): .make(LP_READ_ONLY, [texts.add(path)])
        case .rootReadOnly: .make(LP_ROOT_READ_ONLY)
        case .pivotRoot: .make(LP_PIVOT_ROOT)
        case .hostname(let name): .make(LP_HOSTNAME, [texts.add(name)])
        case .domainname(let name): .make(LP_DOMAINNAME, [texts.add(name)])
        case .resourceLimit(let type, _, let soft, let hard): .make(LP_RLIMIT, numbers: [UInt64(type), soft, hard])
        case .ownPipes(let uid, let gid): .make(LP_OWN_PIPES, numbers: [UInt64(uid), UInt64(gid)])
        case .workingFolder(let path, let uid, let gid):
            .make(LP_WORKING_FOLDER, [texts.add(path)], numbers: [UInt64(uid), UInt64(gid)])
        case .noNewPrivileges: .make(LP_NO_NEW_PRIVILEGES)
        case .seccomp(let filter): .make(LP_SECCOMP, numbers: [UInt64(filter.flags)], blob: filter.program, &texts)
        case .boundingSet(let set): .make(LP_BOUNDING_SET, numbers: [set.rawValue])
        case .ids(let uid, let gid, let groups, let umask):
            .make(
                LP_IDS,
                numbers: [UInt64(uid), UInt64(gid), umask.map(UInt64.init) ?? .max],
                blob: groups.flatMap { group in withUnsafeBytes(of: group) { Array($0) } },
                &texts
            )
        case .capabilities(let effective, let permitted, let inheritable, let ambient):
            .make(LP_CAPABILITIES, numbers: [effective, permitted, inheritable, ambient].map(\.rawValue))
        case .initProcess: .make(LP_INIT)
        case .execute(let arguments, let environment):
            .make(LP_EXEC, [texts.add(list: arguments), texts.add(list: environment)])
        }
    }
}

extension BindMount {
    fileprivate func record(_ texts: inout TextTable) -> lp_step {
        var flags = 0
        if recursive { flags |= Int(LP_BIND_RECURSIVE.rawValue) }
        if makeSource { flags |= Int(LP_BIND_MAKE_FOLDER.rawValue) }
        if attributesRecursive { flags |= Int(LP_BIND_SET_RECURSIVE.rawValue) }
        return .make(
            LP_BIND,
            [texts.add(source), texts.add(target)],
            numbers: [set.rawValue, clear.rawValue, UInt64(flags), propagation.flag]
        )
    }
}

extension lp_step {
    fileprivate static func make(_ operation: lp_operation, _ texts: [UInt32] = [], numbers: [UInt64] = []) -> lp_step {
        var step = lp_step()
        step.operation = operation.rawValue
        withUnsafeMutableBytes(of: &step.text) { $0.copyBytes(from: texts.withUnsafeBytes { Array($0) }) }
        withUnsafeMutableBytes(of: &step.number) { $0.copyBytes(from: numbers.withUnsafeBytes { Array($0) }) }
        return step
    }

    fileprivate static func make(_ operation: lp_operation, numbers: [UInt64], blob: [UInt8], _ texts: inout TextTable)
        -> lp_step
    {
        var step = make(operation, numbers: numbers)
        step.blob = blob.isEmpty ? 0 : texts.add(blob: blob)
        step.blob_size = UInt32(blob.count)
        return step
    }
}
