import LinuxSystem
import OCI
import Registry

/// Makes a build's reports of what a pull does. Those come from several threads; a step's are sent one after the other.
final class PullReports: @unchecked Sendable {
    private let lock = Lock()
    private let step: ReportedStep

    init(_ step: ReportedStep) { self.step = step }

    func report(_ event: PullEvent) {
        guard let status = status(event) else { return }
        lock.locked { step.status(status) }
    }

    private func status(_ event: PullEvent) -> BuildStatus? {
        switch event {
        case .downloading(let layer, let bytes, let size): BuildStatus("\(layer)", current: bytes, total: size)
        case .downloaded(let layer): BuildStatus("\(layer)", isDone: true)
        case .extracting(let layer, let bytes, let size):
            BuildStatus("extracting \(layer)", current: bytes, total: size)
        case .complete(let layer): BuildStatus("extracting \(layer)", isDone: true)
        case .pulling, .layer, .exists, .waiting, .verifying: nil
        }
    }
}
