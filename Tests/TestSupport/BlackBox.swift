import CLinux
import LinuxSystem

/// What `Scripts/test` hands to the suites that run real programs.
package enum BlackBox {
    /// They need root and the built program; `Scripts/test` sets the variable. Without it plain `swift test` runs the pure
    /// tests only.
    package static let isEnabled = Process.isRoot && Process.environment("MINIRUN_BLACKBOX") != nil
    package static let program = Process.environment("MINIRUN") ?? "\(buildFolder)/minirun"
    package static let shim = Process.environment("MINIRUN_SHIM") ?? "\(buildFolder)/minirun-shim"
    package static let isLong = Process.environment("MINIRUN_LONG") != nil

    private static let buildFolder = Files.parent(of: (try? Link.target("/proc/self/exe")) ?? "/")

    /// What a caller's environment is: ours, with the shim and with what a test adds.
    package static func environment(_ added: [String: String] = [:]) -> [String] {
        var all = ["PATH": Process.environment("PATH") ?? "/usr/bin:/bin", "MINIRUN_SHIM": shim, "TERM": "xterm"]
        // Every suite may run with layers of either form.
        if let driver = Process.environment("MINIRUN_STORAGE_DRIVER") { all["MINIRUN_STORAGE_DRIVER"] = driver }
        return all.merging(added) { $1 }.map { "\($0.key)=\($0.value)" }
    }
}

/// Folders of the suites' own, each with a name that `Scripts/leftovers` knows.
package enum TemporaryFolder {
    package static func make() throws -> String {
        var template = Array("\(Process.environment("TMPDIR") ?? "/tmp")/minirun-test.XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw SystemError("making a temporary folder") }
        return String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

/// Asks again until it is so; false after `milliseconds`.
package func eventually(_ milliseconds: Int = 1000, _ condition: () throws -> Bool) rethrows -> Bool {
    let deadline = Clock.monotonic + UInt64(milliseconds) * 1_000_000
    while true {
        if try condition() { return true }
        if Clock.monotonic > deadline { return false }
        usleep(2000)
    }
}

/// The same moments in every run of a suite (SplitMix64).
package struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    package init(_ seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
