import LaunchPlan
import LinuxSystem
import OCI

extension LaunchPlan {
    /// The version of the binary form; the shim refuses another.
    package static let version = UInt32(LP_VERSION)

    /// The binary form that `launch_plan.h` describes.
    ///
    /// - Throws: where a text holds a NUL byte, as the shim would take what stands before it for the whole; where the plan asks
    ///   for more than the shim has room for.
    /// - Parameter descriptors: how many come with it.
    package func encoded(descriptors: Int = 0) throws(EngineError) -> [UInt8] {
        try checkCounts(descriptors: descriptors)
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
        header.descriptors = UInt32(descriptors)
        let size = texts.offset + texts.bytes.count
        guard size <= LaunchPlan.mostBytes else {
            throw EngineError(.invalid, "a launch plan of \(size) bytes: \(LaunchPlan.mostBytes) is the most")
        }
        header.size = UInt32(size)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(header.size))
        withUnsafeBytes(of: &header) { bytes.append(contentsOf: $0) }
        records.withUnsafeBytes { bytes.append(contentsOf: $0) }
        return bytes + texts.bytes
    }
}

extension LaunchPlan {
    /// The most lower layers of one overlay, which is the kernel's limit.
    package static let mostLayers = Int(LP_LAYERS)
    /// The most mounts whose sources are opened before the container is made.
    package static let mostOpenedMounts = Int(LP_SLOTS)
    /// The most descriptors that come with a plan.
    package static let mostDescriptors = Int(LP_DESCRIPTORS)
    /// The largest plan that the shim takes.
    static let mostBytes = 16 << 20
    /// The most arguments, and the most entries of an environment.
    static let mostWords = 65_534

    /// The shim has fixed room for what its steps count, and refuses the rest with less to say.
    private func checkCounts(descriptors: Int) throws(EngineError) {
        func check(_ count: Int, _ most: Int, _ what: String) throws(EngineError) {
            if count > most { throw EngineError(.invalid, "\(count) \(what): \(most) is the most") }
        }
        var layers = 0
        try check(descriptors, LaunchPlan.mostDescriptors, "descriptors for one launch")
        for step in steps {
            switch step {
            case .layer: layers += 1
            case .idMap(_, let slot), .openTree(_, let slot, _), .attach(_, let slot), .bind(_, let slot?):
                try check(slot + 1, LaunchPlan.mostOpenedMounts, "mounts whose sources are opened for the container")
            case .findProgram(let arguments, let environment, _), .execute(let arguments, let environment, _):
                try check(arguments.count, LaunchPlan.mostWords, "arguments")
                try check(environment.count, LaunchPlan.mostWords, "entries of the environment")
            default: break
            }
        }
        try check(layers, LaunchPlan.mostLayers, "layers on one another")
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
        bytes.append(contentsOf: text.rawBytes)
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
    /// By topic, as the plan's header has them.
    fileprivate func record(_ texts: inout TextTable) -> lp_step {
        preparationRecord(&texts) ?? mountRecord(&texts) ?? settingRecord(&texts) ?? processRecord(&texts)
    }

    private func preparationRecord(_ texts: inout TextTable) -> lp_step? {
        switch self {
        case .hide: .make(LP_HIDE)
        case .idMap(let map, let slot):
            .make(LP_ID_MAP, [texts.add(map.users), texts.add(map.groups)], numbers: [UInt64(slot)])
        case .openTree(let bind, let slot, let idMap): bind.record(LP_OPEN_TREE, slot: slot, idMap: idMap, &texts)
        case .timeOffsets(let text): .make(LP_TIME_OFFSETS, [texts.add(text)])
        case .join(let flags, let descriptor, _): .make(LP_JOIN, numbers: [flags.rawValue, UInt64(descriptor)])
        case .clone(let flags, let cgroup):
            .make(LP_CLONE, [cgroup.map { texts.add($0) } ?? 0], numbers: [flags.rawValue])
        default: nil
        }
    }

    private func mountRecord(_ texts: inout TextTable) -> lp_step? {
        switch self {
        case .propagation(let kind, let recursive, let path):
            .make(LP_PROPAGATION, [texts.add(path)], numbers: [kind.flag | (recursive ? 0x4000 : 0) /* MS_REC */])
        case .layer(let path): .make(LP_LAYER, [texts.add(path)])
        case .overlay(let mountPoint, let upper, let work, let options):
            .make(LP_OVERLAY, [texts.add(mountPoint), texts.add(upper), texts.add(work), texts.add(options)])
        case .rootFolder(let path, let change): .make(LP_ROOT_FOLDER, [texts.add(path)], numbers: [change.number])
        case .fileSystem(let mount): mount.record(&texts)
        case .bind(let bind, let idMap): bind.record(LP_BIND, slot: 0, idMap: idMap, &texts)
        case .attach(let bind, let slot): bind.record(LP_ATTACH, slot: slot, idMap: nil, &texts)
        case .remount(let bind): bind.record(LP_REMOUNT, slot: 0, idMap: nil, &texts)
        case .link(let path, let target): .make(LP_LINK, [texts.add(path), texts.add(target)])
        case .device(let path, let kind, let mode, let major, let minor, let uid, let gid):
            .make(LP_DEVICE, [texts.add(path)], numbers: [kind | mode, major, minor, uid, gid].map(UInt64.init))
        case .mask(let path): .make(LP_MASK, [texts.add(path)])
        case .readOnly(let path): .make(LP_READ_ONLY, [texts.add(path)])
        case .folder(let path): .make(LP_FOLDER, [texts.add(path)])
        case .rootReadOnly: .make(LP_ROOT_READ_ONLY)
        case .pivotRoot(let change): .make(LP_PIVOT_ROOT, numbers: [change.number])
        default: nil
        }
    }

    private func settingRecord(_ texts: inout TextTable) -> lp_step? {
        switch self {
        case .newSession: .make(LP_NEW_SESSION)
        case .keyring: .make(LP_KEYRING)
        case .loopback: .make(LP_LOOPBACK)
        case .oomScore(let score): .make(LP_OOM_SCORE, numbers: [UInt64(bitPattern: Int64(score))])
        case .becomeRoot(let setsGroups): .make(LP_BECOME_ROOT, numbers: [setsGroups ? 1 : 0])
        case .barrier(let announced): .make(LP_BARRIER, numbers: [announced ? 1 : 0])
        case .hook(let hook): hook.record(&texts)
        case .enterCgroup(.file(let file)): .make(LP_ENTER_CGROUP, [texts.add(file)])
        case .enterCgroup(.descriptor(let index, _)): .make(LP_ENTER_CGROUP, numbers: [UInt64(index) + 1])
        case .unshare(let flags): .make(LP_UNSHARE, numbers: [flags.rawValue])
        case .sysctl(let key, let value): .make(LP_SYSCTL, [texts.add(key), texts.add(value)])
        case .attribute(let file, let value): .make(LP_ATTRIBUTE, [texts.add(file), texts.add(value)])
        case .personality(let value): .make(LP_PERSONALITY, numbers: [value])
        case .scheduler(let attributes, _): .make(LP_SCHEDULER, numbers: [], blob: attributes, &texts)
        case .ioPriority(let value, _): .make(LP_IO_PRIORITY, numbers: [UInt64(UInt32(bitPattern: value))])
        case .affinity(let mask, _): .make(LP_AFFINITY, numbers: [], blob: mask, &texts)
        case .memoryPolicy(let mode, let nodes, _): .make(LP_MEMORY_POLICY, numbers: [mode], blob: nodes, &texts)
        case .hostname(let name): .make(LP_HOSTNAME, [texts.add(name)])
        case .domainname(let name): .make(LP_DOMAINNAME, [texts.add(name)])
        default: nil
        }
    }

    private func processRecord(_ texts: inout TextTable) -> lp_step {
        switch self {
        case .ownStreams(let inherits): .make(LP_OWN_STREAMS, numbers: [inherits ? 1 : 0])
        case .console(let columns, let rows, let uid, let device, let keepsLineFeeds):
            .make(
                LP_CONSOLE,
                numbers: [UInt64(columns), UInt64(rows), UInt64(uid), device ? 1 : 0, keepsLineFeeds ? 1 : 0]
            )
        case .resourceLimit(let type, _, let soft, let hard): .make(LP_RLIMIT, numbers: [UInt64(type), soft, hard])
        case .ownPipes(let uid, let gid): .make(LP_OWN_PIPES, numbers: [UInt64(uid), UInt64(gid)])
        case .workingFolder(let path): .make(LP_WORKING_FOLDER, [texts.add(path)])
        case .noNewPrivileges: .make(LP_NO_NEW_PRIVILEGES)
        case .seccomp(let filter): .make(LP_SECCOMP, numbers: [UInt64(filter.flags)], blob: filter.program, &texts)
        case .boundingSet(let set): .make(LP_BOUNDING_SET, numbers: [set.rawValue])
        case .ids(let uid, let gid, let groups, let umask, let setsGroups):
            .make(
                LP_IDS,
                numbers: [UInt64(uid), UInt64(gid), umask.map(UInt64.init) ?? .max, setsGroups ? 0 : 1],
                blob: groups.flatMap { group in withUnsafeBytes(of: group) { Array($0) } },
                &texts
            )
        case .capabilities(let effective, let permitted, let inheritable, let ambient):
            .make(LP_CAPABILITIES, numbers: [effective, permitted, inheritable, ambient].map(\.rawValue))
        case .home: .make(LP_HOME)
        case .findProgram(let arguments, let environment, let capabilities):
            .make(
                LP_FIND_PROGRAM,
                [texts.add(list: arguments), texts.add(list: environment)],
                numbers: [capabilities.rawValue]
            )
        case .start(let descriptor): .make(LP_START, numbers: [UInt64(descriptor)])
        case .initProcess: .make(LP_INIT)
        case .execute(let arguments, let environment, let keeps):
            .make(LP_EXEC, [texts.add(list: arguments), texts.add(list: environment)], numbers: [UInt64(keeps)])
        default: preconditionFailure("step \(name) has no record")
        }
    }
}

extension ContainerHook {
    fileprivate func record(_ texts: inout TextTable) -> lp_step {
        var step = lp_step.make(
            LP_HOOK,
            numbers: [UInt64(timeout ?? 0)],
            blob: state,
            &texts
        )
        step.text.0 = texts.add(path)
        step.text.1 = texts.add(list: arguments)
        step.text.2 = texts.add(list: environment)
        return step
    }
}

extension FileSystemMount {
    fileprivate func record(_ texts: inout TextTable) -> lp_step {
        var step = lp_step.make(
            LP_FILE_SYSTEM,
            [texts.add(type), texts.add(target), texts.add(source), texts.add(options)],
            numbers: [
                attributes.rawValue, copiesUp ? UInt64(LP_MOUNT_COPY_UP.rawValue) : 0, propagation?.flag ?? 0,
            ]
        )
        if let instead { step.text.4 = texts.add(instead) }
        return step
    }
}

extension BindMount {
    fileprivate func record(_ operation: lp_operation, slot: Int, idMap: Int?, _ texts: inout TextTable) -> lp_step {
        var flags: lp_bind_flags.RawValue = 0
        if recursive { flags |= LP_BIND_RECURSIVE.rawValue }
        if makeSource { flags |= LP_BIND_MAKE_FOLDER.rawValue }
        if mapRecursive { flags |= LP_BIND_MAP_RECURSIVE.rawValue }
        if ownLink { flags |= LP_BIND_OWN_LINK.rawValue }
        if copiesUp { flags |= LP_BIND_COPY_UP.rawValue }
        if keepsLocked { flags |= LP_BIND_KEEP_LOCKED.rawValue }
        if !propagationRecursive { flags |= LP_BIND_ONE_PROPAGATION.rawValue }
        return .make(
            operation,
            [texts.add(source), texts.add(target)],
            numbers: [
                set.rawValue, clear.rawValue, UInt64(flags), propagation?.flag ?? 0, UInt64(slot),
                UInt64(idMap.map { $0 + 1 } ?? 0), recursiveSet.rawValue, recursiveClear.rawValue,
            ]
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
