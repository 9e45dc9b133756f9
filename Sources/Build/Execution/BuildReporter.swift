import LinuxSystem

/// Turns what the build does into events: numbers steps and notes the time.
final class BuildReporter {
    private let send: (BuildEvent) -> Void
    private var count = 0

    init(_ send: @escaping (BuildEvent) -> Void) { self.send = send }

    /// Announces a step.
    func step(_ name: String) -> ReportedStep {
        count += 1
        let step = ReportedStep(reporter: self, number: count, name: name)
        step.report(.planned(name: name))
        return step
    }

    fileprivate func report(_ step: Int, _ kind: BuildEvent.Kind) {
        send(BuildEvent(time: Clock.monotonic, step: step, kind))
    }
}

/// One step as a person sees it.
final class ReportedStep {
    private unowned let reporter: BuildReporter
    private let number: Int
    /// The name until the step starts: that of a FROM gets its digest when it is known.
    var name: String
    private var isStarted = false
    private var isEnded = false

    fileprivate init(reporter: BuildReporter, number: Int, name: String) {
        self.reporter = reporter
        self.number = number
        self.name = name
    }

    fileprivate func report(_ kind: BuildEvent.Kind) { reporter.report(number, kind) }

    func start() {
        if isStarted || isEnded { return }
        isStarted = true
        report(.started(name: name))
    }

    func cached() {
        if isEnded { return }
        isEnded = true
        report(isStarted ? .completed : .cached(name: name))
    }

    func complete() {
        if isEnded { return }
        start()
        isEnded = true
        report(.completed)
    }

    func fail(_ failure: BuildFailure) {
        if isEnded { return }
        start()
        isEnded = true
        report(.failed(failure))
    }

    func cancel() {
        if isEnded || !isStarted { return }
        isEnded = true
        report(.canceled)
    }

    func log(_ stream: BuildEvent.Stream, _ bytes: [UInt8]) { report(.log(stream, bytes)) }
    func warn(_ text: String) { report(.warning(text)) }
    func status(_ status: BuildStatus) { report(.status(status)) }

    /// Something within the step from its beginning to its end.
    func during<R>(_ name: String, _ body: () throws -> R) rethrows -> R {
        status(BuildStatus(name))
        let result = try body()
        status(BuildStatus(name, isDone: true))
        return result
    }
}
