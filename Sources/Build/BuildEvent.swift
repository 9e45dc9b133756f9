/// What a build tells about itself while it runs: plain values, for a terminal now and the API later.
///
/// A step is announced with `planned`, so that a display knows how many there are; it may `start` without. It ends with
/// one of `cached`, `completed`, `failed` and `canceled`.
package struct BuildEvent: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// The step will come. The name is what a person reads: "[2/3] RUN make".
        case planned(name: String)
        case started(name: String)
        /// Ended without work: its result was there. It needs no `started`.
        case cached(name: String)
        case completed
        case failed(BuildFailure)
        /// Stopped because another step failed.
        case canceled
        /// Progress of something within the step.
        case status(BuildStatus)
        /// Output of the step's program, any bytes, lines not necessarily whole.
        case log(Stream, [UInt8])
        /// Something to change in the Dockerfile; the build goes on.
        case warning(String)
    }

    package enum Stream: Sendable, Equatable { case output, error }

    /// CLOCK_MONOTONIC in nanoseconds.
    package let time: UInt64
    /// The step, a number that the build chooses; displays number steps themselves, in the order of showing them.
    package let step: Int
    package let kind: Kind

    package init(time: UInt64, step: Int, _ kind: Kind) {
        self.time = time
        self.step = step
        self.kind = kind
    }
}

/// Something within a step that takes time or has a size: "transferring context:", "exporting layers",
/// "writing image sha256:…", "naming to docker.io/library/x". The first event with a name starts it.
package struct BuildStatus: Sendable, Equatable {
    package let name: String
    /// In bytes; 0 where there is nothing to count.
    package let current: Int64
    /// 0 where it is unknown.
    package let total: Int64
    package let isDone: Bool

    package init(_ name: String, current: Int64 = 0, total: Int64 = 0, isDone: Bool = false) {
        self.name = name
        self.current = current
        self.total = total
        self.isDone = isDone
    }
}

/// Why a step failed, and the place in the Dockerfile.
package struct BuildFailure: Sendable, Equatable {
    /// One line: `process "/bin/sh -c false" did not complete successfully: exit code: 1`.
    package let message: String
    package let excerpt: SourceExcerpt?

    package init(_ message: String, excerpt: SourceExcerpt? = nil) {
        self.message = message
        self.excerpt = excerpt
    }
}

/// Some lines of a file around those that matter.
package struct SourceExcerpt: Sendable, Equatable {
    package let file: String
    /// The whole file.
    package let lines: [String]
    /// The lines that matter, counted from 1.
    package let marked: ClosedRange<Int>

    package init(file: String, lines: [String], marked: ClosedRange<Int>) {
        self.file = file
        self.lines = lines
        self.marked = marked
    }

    /// As BuildKit prints it: the marked lines and a few around them, empty where there are no such lines.
    package var text: String {
        guard marked.lowerBound >= 1, marked.lowerBound <= lines.count else { return "" }
        var first = marked.lowerBound
        var last = min(marked.upperBound, lines.count)
        let wanted = first == last ? 4 : 2
        var around = 0
        while around < wanted {
            if first > 1 { (first, around) = (first - 1, around + 1) }
            if last < lines.count { (last, around) = (last + 1, around + 1) }
            around += 1
        }
        let rule = String(repeating: "-", count: 20)
        var text = "\(file):\(marked.lowerBound)\n\(rule)\n"
        for number in first...last {
            let digits = String(number)
            let pad = String(repeating: " ", count: max(0, 3 - digits.count))
            text += " \(pad)\(digits) | \(marked.contains(number) ? ">>>" : "   ") \(lines[number - 1])\n"
        }
        return text + "\(rule)\n"
    }
}
