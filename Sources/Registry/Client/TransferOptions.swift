import LinuxSystem
import OCI

/// How patient the client is, and how much it does at once.
package struct TransferOptions: Sendable {
    /// What the registry is told of who asks.
    package var userAgent = "minirun"
    /// Blobs that are fetched or sent at the same time.
    package var parallel = 3
    /// An answer that brings nothing for so long is given up, in milliseconds.
    package var idleTimeout: Int64 = 45_000
    /// For a connection, in milliseconds.
    package var connectTimeout: Int64 = 15_000
    /// Tries of one request in a row that bring nothing.
    package var attempts = 5
    /// The wait before the second try, in milliseconds; it doubles with each.
    package var retryDelay: Int64 = 500
    /// The longest wait, in milliseconds.
    package var longestDelay: Int64 = 60_000
    /// Blobs beyond this size are sent in pieces of it, in bytes.
    package var chunkSize: Int64 = 64 << 20

    /// Entries of a list that are asked for at once.
    package var pageSize = 1000

    package init() {}

    /// For what only one place has.
    var patience: Patience { Patience(attempts: attempts, connections: min(3, attempts)) }

    /// With what the environment says: MINIRUN_PARALLEL (layers at once), MINIRUN_IDLE_TIMEOUT, MINIRUN_RETRY_DELAY (both in
    /// milliseconds) and MINIRUN_CHUNK_SIZE (bytes).
    package static func fromEnvironment() throws(EngineError) -> TransferOptions {
        var options = TransferOptions()
        func number(_ name: String, _ range: ClosedRange<Int64>) throws(EngineError) -> Int64? {
            guard let text = Process.environment(name), !text.isEmpty else { return nil }
            guard let value = Int64(text), range.contains(value) else {
                throw EngineError(
                    .invalid,
                    "\(name)=\(text): it takes a number from \(range.lowerBound) to \(range.upperBound)"
                )
            }
            return value
        }
        if let value = try number("MINIRUN_PARALLEL", 1...64) { options.parallel = Int(value) }
        if let value = try number("MINIRUN_IDLE_TIMEOUT", 10...3_600_000) { options.idleTimeout = value }
        if let value = try number("MINIRUN_RETRY_DELAY", 0...60_000) { options.retryDelay = value }
        if let value = try number("MINIRUN_CHUNK_SIZE", 1...(1 << 40)) { options.chunkSize = value }
        return options
    }

    /// How long to wait before the next try, in milliseconds: twice as long each time, and never quite the same, so that
    /// many clients do not come back at once.
    /// Nil where the registry asks for more patience than there is: a person should hear of that at once.
    func delay(after failures: Int, asked: Int?) -> Int64? {
        if let asked { return Int64(asked) <= longestDelay / 1000 ? Int64(asked) * 1000 : nil }
        let full = min(longestDelay, retryDelay << Int64(min(failures - 1, 16)))
        return full / 2 + Int64.random(in: 0...max(1, full / 2))
    }
}

/// Tries of one request in a row that bring nothing.
struct Patience: Sendable {
    var attempts: Int
    /// Where not even a connection comes about.
    var connections: Int
}
