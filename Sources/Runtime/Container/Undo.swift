/// What has to be undone if a later step fails, in the opposite order. Armed where a thing appears, disarmed when all is well.
final class Undo {
    private var actions: [() -> Void] = []

    func arm(_ action: @escaping () -> Void) { actions.append(action) }

    /// All is well: nothing is undone.
    func disarm() { actions = [] }

    func run() {
        while let action = actions.popLast() { action() }
    }
}
