import CLinux
import OCI

/// The instructions in front of libseccomp's, for calls that libseccomp cannot judge:
///
/// - A call whose number is greater than every number the profile names is newer than the profile. It gets ENOSYS, where
///   the default action would break programs that try a new call first (runc's `patchbpf` does the same; the idea is
///   described in opencontainers/runc#2750).
/// - A name that is newer than the libseccomp which is linked in, as half of docker's additions since Linux 6.5 are for
///   2.5.4. runc built with such a library drops those rules; we know the numbers, and carry the rules out here.
///
/// For every kind of machine (AUDIT_ARCH_*) that the filter accepts there is one section, and in it one block for every
/// way of calling (x86_64 and x32 share a machine). A section ends by jumping to libseccomp's program:
///
///     load the architecture
///     if it is x86_64: load the number; {block for x86_64} {block for x32} go to the filter
///     if it is i386:   load the number; {block} go to the filter
///     …
///
/// Only loads of number and architecture, equalities and orderings are used: the kernel can then tell beforehand that a
/// call is always allowed, and skips the filter for it.
struct SeccompPrelude {
    private let configuration: SeccompConfiguration
    /// The calls that libseccomp does not know, with what to answer; nil where that depends on arguments.
    private var unknown: [(name: String, action: UInt32?)] = []

    init(configuration: SeccompConfiguration) { self.configuration = configuration }

    /// Takes note of a rule that libseccomp cannot take. A name with a condition on arguments anywhere is left to the
    /// default action.
    mutating func noteUnknown(_ name: String, action: UInt32, isConditional: Bool) {
        guard let index = unknown.firstIndex(where: { $0.name == name }) else {
            return unknown.append((name, isConditional ? nil : action))
        }
        if isConditional { unknown[index].action = nil }
    }

    func instructions(defaultAction: UInt32) -> [FilterInstruction] {
        // An allowing default means a list of what is forbidden, and the unknown is not.
        let isStrict = ![.allow, .log, .trace].contains(configuration.defaultAction)
        var machines: [(token: UInt32, blocks: [Block])] = []
        for architecture in [.native] + configuration.architectures {
            guard let block = block(for: architecture, defaultAction, isStrict: isStrict) else { continue }
            if let index = machines.firstIndex(where: { $0.token == architecture.auditToken }) {
                let isKnown = machines[index].blocks.contains { $0.architecture == architecture }
                if !isKnown { machines[index].blocks.append(block) }
            } else {
                machines.append((architecture.auditToken, [block]))
            }
        }
        if machines.isEmpty { return [] }
        var result: [FilterInstruction] = [.loadArchitecture]
        for machine in machines {
            let section = [.loadNumber] + machine.blocks.flatMap(\.instructions) + [.jumpToFilter]
            result += [.ifEqual(machine.token, skip: 1, else: 0), .jump(section.count)] + section
        }
        let count = result.count
        return result.enumerated().map { $0.element == .jumpToFilter ? .jump(count - $0.offset - 1) : $0.element }
    }

    /// Nil where there is nothing to say about an architecture.
    private func block(
        for architecture: SeccompConfiguration.Architecture,
        _ defaultAction: UInt32,
        isStrict: Bool
    ) -> Block? {
        let token = seccomp_arch_resolve_name(architecture.libseccompName)
        var lastKnown: UInt32 = 0
        for name in configuration.syscalls.flatMap(\.names) {
            // Negative: this architecture has no such call.
            let number = seccomp_syscall_resolve_name_arch(token, name)
            if number > 0, !Block.isPrivate(UInt32(number), architecture) { lastKnown = max(lastKnown, UInt32(number)) }
        }
        var last = lastKnown
        var answers: [(number: UInt32, action: UInt32)] = []
        for (name, action) in unknown {
            guard let number = NewSystemCalls.number(of: name, architecture) else { continue }
            last = max(last, number)
            if let action, action != defaultAction { answers.append((number, action)) }
        }
        // A profile that names nothing for this architecture says nothing about which calls are new.
        let newest = isStrict && last > 0 ? last : nil
        if answers.isEmpty, newest == nil { return nil }
        return Block(architecture: architecture, lastKnown: lastKnown, answers: answers, newest: newest)
    }
}

/// What the prelude does about one way of calling; it falls through where the call is of another.
private struct Block {
    let architecture: SeccompConfiguration.Architecture
    /// The greatest number among the names that libseccomp knows.
    let lastKnown: UInt32
    let answers: [(number: UInt32, action: UInt32)]
    /// The greatest number of the profile; nil where greater ones are not special.
    let newest: UInt32?

    /// The bit in a call's number by which a program says that it uses the x32 way.
    static let x32Bit: UInt32 = 0x4000_0000

    /// 32-bit ARM has five calls of its own (cacheflush, set_tls…) from here on, far above all others. They say nothing
    /// about which calls are new; taken as the profile's greatest numbers, as runc takes them, they switch ENOSYS off.
    private static let privateARM: UInt32 = 0xF0000

    static func isPrivate(_ number: UInt32, _ architecture: SeccompConfiguration.Architecture) -> Bool {
        architecture == .arm && number >= privateARM
    }

    var instructions: [FilterInstruction] {
        let body = self.body
        switch architecture {
        case .x86_64: return [.ifBitSet(Block.x32Bit, skip: 0, else: 1), .jump(body.count)] + body
        case .x32: return [.ifBitSet(Block.x32Bit, skip: 1, else: 0), .jump(body.count)] + body
        default: return body
        }
    }

    private var body: [FilterInstruction] {
        let noSuchCall = FilterInstruction.answer(SeccompFilter.returnValue(.errno, UInt32(ENOSYS)))
        var result: [FilterInstruction] = []
        // On s390, numbers over 255 come in a register, through call 0; if the kernel does not know the number, 0 stays.
        if newest != nil, architecture == .s390x || architecture == .s390 {
            result += [.ifEqual(0, skip: 0, else: 1), noSuchCall]
        }
        if architecture == .arm { result += [.ifGreater(Block.privateARM - 1, skip: 0, else: 1), .jumpToFilter] }
        func answer(_ isIncluded: (UInt32) -> Bool) -> [FilterInstruction] {
            answers.filter { isIncluded($0.number) }.flatMap {
                [.ifEqual($0.number, skip: 0, else: 1), .answer($0.action)]
            }
        }
        result += answer { $0 < lastKnown }
        let new = answer { $0 > lastKnown }
        let beyond = newest.map { [.ifGreater($0, skip: 0, else: 1), noSuchCall] } ?? []
        // One comparison takes every old call past the new ones.
        if !new.isEmpty { result += [.ifGreater(lastKnown, skip: 1, else: 0), .jump(new.count + beyond.count)] + new }
        return result + beyond + [.jumpToFilter]
    }
}

/// The numbers of calls that the linked libseccomp may not know yet (Linux, scripts/syscall.tbl). All architectures share
/// the numbers from 424 on, but for those (MIPS, x32) that add an offset.
private enum NewSystemCalls {
    static func number(of name: String, _ architecture: SeccompConfiguration.Architecture) -> UInt32? {
        let offset: UInt32
        switch architecture {
        case .mips, .mipsel, .mips64, .mipsel64, .mips64n32, .mipsel64n32: return nil
        case .x32: offset = Block.x32Bit
        default: offset = 0
        }
        switch (name, architecture) {
        case ("uretprobe", .x86_64), ("uretprobe", .x32): return 335 + offset
        case ("riscv_hwprobe", .riscv64): return 258
        default: return shared[name].map { $0 + offset }
        }
    }

    private static let shared = Dictionary(
        uniqueKeysWithValues: [
            "cachestat", "fchmodat2", "map_shadow_stack", "futex_wake", "futex_wait", "futex_requeue",  // Linux 6.7
            "statmount", "listmount", "lsm_get_self_attr", "lsm_set_self_attr", "lsm_list_modules",  // 6.8
            "mseal",  // 6.10
            "setxattrat", "getxattrat", "listxattrat", "removexattrat",  // 6.13
            "open_tree_attr", "file_getattr", "file_setattr", "listns", "rseq_slice_yield",  // up to 7.0
        ].enumerated().map { ($0.element, 451 + UInt32($0.offset)) }
    )
}

extension SeccompConfiguration.Architecture {
    /// AUDIT_ARCH_*, which the kernel gives a filter; libseccomp's token but for x32, which only libseccomp tells apart.
    fileprivate var auditToken: UInt32 {
        seccomp_arch_resolve_name((self == .x32 ? .x86_64 : self).libseccompName)
    }
}

/// One `struct sock_filter` (linux/filter.h).
struct FilterInstruction: Equatable {
    static let size = 8

    let code: UInt16
    let jumpTrue: UInt8
    let jumpFalse: UInt8
    let operand: UInt32

    // Offsets in struct seccomp_data.
    static let loadNumber = FilterInstruction(code: 0x20, jumpTrue: 0, jumpFalse: 0, operand: 0)
    static let loadArchitecture = FilterInstruction(code: 0x20, jumpTrue: 0, jumpFalse: 0, operand: 4)
    static let loadZero = FilterInstruction(code: 0x00, jumpTrue: 0, jumpFalse: 0, operand: 0)
    static func loadUpperHalf(of argument: UInt32) -> Self {
        .init(code: 0x20, jumpTrue: 0, jumpFalse: 0, operand: 16 + 8 * argument + (1.littleEndian == 1 ? 4 : 0))
    }
    /// A jump to behind the prelude, whose distance is not known yet.
    static let jumpToFilter = FilterInstruction(code: 0x05, jumpTrue: 0, jumpFalse: 0, operand: .max)

    static func jump(_ distance: Int) -> Self {
        .init(code: 0x05, jumpTrue: 0, jumpFalse: 0, operand: UInt32(distance))
    }
    static func answer(_ value: UInt32) -> Self { .init(code: 0x06, jumpTrue: 0, jumpFalse: 0, operand: value) }
    static func ifEqual(_ value: UInt32, skip: UInt8, else other: UInt8) -> Self {
        .init(code: 0x15, jumpTrue: skip, jumpFalse: other, operand: value)
    }
    static func ifGreater(_ value: UInt32, skip: UInt8, else other: UInt8) -> Self {
        .init(code: 0x25, jumpTrue: skip, jumpFalse: other, operand: value)
    }
    static func ifBitSet(_ bits: UInt32, skip: UInt8, else other: UInt8) -> Self {
        .init(code: 0x45, jumpTrue: skip, jumpFalse: other, operand: bits)
    }

    var bytes: [UInt8] {
        withUnsafeBytes(of: code, Array.init) + [jumpTrue, jumpFalse] + withUnsafeBytes(of: operand, Array.init)
    }
}
