import OCI

/// Everything that a container gets, as data: the shim walks it, `--explain` prints it, tests compare it.
package struct LaunchPlan: Equatable, Sendable {
    package var steps: [LaunchStep]

    package init(steps: [LaunchStep]) { self.steps = steps }

    /// One line for each step, numbered.
    package var text: String {
        let width = String(steps.count).count
        return steps.enumerated().map { index, step in
            let number = String(index + 1)
            return String(repeating: " ", count: width - number.count) + number + "  " + step.description + "\n"
        }.joined()
    }

    /// The plan as data: its version, and for each step its name, its words and its parts. Meant for `diff`.
    package var json: JSON {
        [
            "version": .number(LaunchPlan.version),
            "steps": .array(steps.map(\.json)),
        ]
    }
}
