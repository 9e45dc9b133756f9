/// One libFuzzer program for all targets: `MINIRUN_FUZZ_TARGET` names the one that it runs. `Scripts/fuzz` builds it (the
/// package has it only where MINIRUN_FUZZ is set) and runs each target with its corpus.
///
/// A target reads any bytes. It finds a fault when the program traps: by Swift's own checks, by `require`, by libFuzzer's
/// limits on time and memory.
enum Fuzz {
    static let targets: [String: @Sendable (UnsafeRawBufferPointer) -> Void] = [
        "configuration": configuration,
        "documents": documents,
        "dockerfile": dockerfile,
        "erofs": erofs,
        "headers": headers,
        "references": references,
        "specification": specification,
        "streams": streams,
        "tar": tar,
    ]

    /// Chosen once, before the first input.
    nonisolated(unsafe) fileprivate static var target: @Sendable (UnsafeRawBufferPointer) -> Void = { _ in }

    /// A property that must hold for every input.
    static func require(_ condition: Bool, _ what: @autoclosure () -> String) {
        if !condition { fatalError(what()) }
    }

    /// Two of the same kind, or the input shows a fault: what was read, written and read again must be the same.
    static func requireEqual<T: Equatable>(_ a: T, _ b: T, _ what: String) { require(a == b, what) }
}

@_cdecl("LLVMFuzzerInitialize")
public func initialize(_ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutableRawPointer) -> CInt {
    let name = environment("MINIRUN_FUZZ_TARGET") ?? ""
    guard let target = Fuzz.targets[name] else {
        print("MINIRUN_FUZZ_TARGET must be one of: \(Fuzz.targets.keys.sorted().joined(separator: " "))")
        quit(2)
    }
    if name == "erofs" { Fuzz.prepareErofs() }
    Fuzz.target = target
    return 0
}

@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    Fuzz.target(UnsafeRawBufferPointer(start: data, count: size))
    return 0
}
