import LinuxSystem
import OCI
import Registry

/// Makes a build's reports of what a pull does, as BuildKit has them: a line with the bytes of each layer that comes, one
/// for its unpacking. They come from several threads; a step's are sent one after the other.
final class PullReports: @unchecked Sendable {
    private let lock = Lock()
    private var step: ReportedStep?
    private var sizes: [Digest: Int64] = [:]

    init(_ step: ReportedStep?) { self.step = step }

    func report(_ event: PullEvent) {
        lock.locked {
            if let status = status(event) { step?.status(status) }
        }
    }

    /// Whatever still comes is not reported.
    func stop() { lock.locked { step = nil } }

    private func status(_ event: PullEvent) -> BuildStatus? {
        switch event {
        case .layer(let layer, let size):
            sizes[layer] = size
            return BuildStatus("\(layer)", total: size)
        case .downloading(let layer, let bytes, let size): return BuildStatus("\(layer)", current: bytes, total: size)
        case .downloaded(let layer):
            let size = sizes[layer] ?? 0
            return BuildStatus("\(layer)", current: size, total: size, isDone: true)
        case .extracting(let layer, _, _): return BuildStatus("extracting \(layer)")
        case .complete(let layer): return BuildStatus("extracting \(layer)", isDone: true)
        case .pulling, .exists, .waiting, .verifying: return nil
        }
    }
}
