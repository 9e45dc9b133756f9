import Images
import OCI
import Runner

/// A build as it was asked for.
package struct BuildRequest: Sendable {
    /// Where the Dockerfile is.
    package enum Definition: Sendable {
        /// An absolute path, inside the context or not.
        case file(String)
        /// Its text: `-f -`.
        case text([UInt8])
    }

    /// The context's folder, an absolute path.
    package var context: String
    package var definition: Definition
    /// The image's names; without any only its id finds it.
    package var tags: [ImageReference] = []
    /// `--build-arg`.
    package var arguments: [String: String] = [:]
    package var target: String?
    package var labels: [String: String] = [:]
    /// Carries every step out, and remembers the results all the same.
    package var noCache = false
    /// Asks the registry for base images also where they are here.
    package var pull = false
    /// What a RUN has that does not say so itself.
    package var network = ContainerOptions.Network.host
    package var platform: Platform?
    /// `name:address`, for the /etc/hosts of RUN.
    package var addedHosts: [String] = []
    /// Bytes of /dev/shm in RUN.
    package var sharedMemorySize: UInt64 = BuildRequest.usualSharedMemory
    static let usualSharedMemory: UInt64 = 64 << 20
    package var limits: [RuntimeSpec.ResourceLimit] = []
    /// SOURCE_DATE_EPOCH of the caller's environment, as it was written; a build argument of that name wins.
    package var sourceDateEpoch: String?

    /// A build of the folder's own `Dockerfile`.
    package init(context: String) {
        self.context = context
        definition = .file(context + "/Dockerfile")
    }

    /// The last second that 64 bits of nanoseconds since 1970 can say, in the year 2554.
    private static let lastSecond: Int64 = 18_446_744_073

    /// The time that all of the image gets, in seconds since 1970; nil where nobody asks for one.
    func epoch() throws -> Int64? {
        let given = [arguments["SOURCE_DATE_EPOCH"], sourceDateEpoch].compactMap(\.self).first { !$0.isEmpty }
        guard let given else { return nil }
        guard given.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let seconds = Int64(given),
            (0...BuildRequest.lastSecond).contains(seconds)
        else {
            throw EngineError(.invalid, "invalid SOURCE_DATE_EPOCH: \(given)")
        }
        return seconds
    }
}

/// What came of a build.
package struct BuildResult: Sendable {
    package let image: StoredImage
    /// The image's id, as `--iidfile` and `-q` want it.
    package var id: Digest { image.id }
}

/// A build that failed: what a person is told, after the log.
package struct BuildError: Error, CustomStringConvertible, Sendable {
    /// One line.
    package let message: String
    /// The Dockerfile's lines concerned, ready to print before the message; empty where there are none.
    package let excerpt: String
    /// Whether the excerpt was already part of a step's failure, and a display of the events has shown it.
    package let isShown: Bool
    package let hint: String?
    /// The last lines that a failed RUN printed; they were also in the events.
    package let output: [String]

    init(
        _ message: String,
        excerpt: String = "",
        isShown: Bool = false,
        hint: String? = nil,
        output: [String] = []
    ) {
        self.message = message
        self.excerpt = excerpt
        self.isShown = isShown
        self.hint = hint
        self.output = output
    }

    package var description: String { message }
}

/// A build that was stopped by a signal: whatever it had begun is gone.
package struct BuildInterrupted: Error, CustomStringConvertible, Sendable {
    /// SIGINT, SIGTERM or SIGHUP.
    package let signal: Int32

    package var description: String { "the build was stopped by signal \(signal)" }
}
