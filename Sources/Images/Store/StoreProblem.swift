import LinuxSystem
import OCI

/// Something that `system check` found: one line, and what mends it where something does.
package struct StoreProblem {
    /// Where: a path, an image's name, a container's id.
    package let subject: String
    package let message: String
    /// What the repair does, in the words of "repair: …"; nil where nothing can be done.
    package let remedy: String?
    package let repair: (() throws -> Void)?
    /// Whether something is lost that no repair brings back, although the repair leaves nothing wrong.
    package var isLoss = false
    /// Whether the repair makes something and so takes a lease of its own; others remove, and nobody may be at work.
    package var makes = false

    package init(_ subject: String, _ message: String, remedy: String? = nil, repair: (() throws -> Void)? = nil) {
        self.subject = subject
        self.message = message
        self.remedy = remedy
        self.repair = repair
    }
}
