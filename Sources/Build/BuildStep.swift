import OCI

/// One instruction, ready to be carried out: variables replaced, paths absolute, stages and images found.
package struct BuildStep: Equatable, Sendable {
    package enum Action: Equatable, Sendable {
        case run(RunStep)
        case copy(CopyStep)
        /// `WORKDIR`: makes the folder and its missing parents, mode 0755, owned by `user` (the image's `USER` so far;
        /// "" is root), and changes the configuration.
        case makeWorkingDirectory(path: String, user: String)
        /// Nothing but the configuration changes.
        case configure(ConfigurationChange)
        /// `ARG`: nothing changes but what later steps see.
        case declareArguments
    }

    package let action: Action
    /// The `created_by` of the step's history entry; nil where there is no entry (`ONBUILD`).
    package let createdBy: String?
    /// Whether the step's history entry stands for a layer (`empty_layer` is the opposite). Such a step makes its layer
    /// even where no file changes.
    package let makesLayer: Bool
    /// What BuildKit shows while it runs: `[builder 2/4] RUN make`. Nil where it shows nothing.
    package let displayName: String?
    /// Where the instruction stands; for a base's trigger, where the `FROM` stands.
    package let range: SourceRange
    /// The instruction as it was written, on one line.
    package let original: String
    /// Whether it comes from the base's `ONBUILD`.
    package let isTrigger: Bool
}

/// Where files come from.
package enum FileSource: Hashable, Sendable {
    case context
    /// One of `--build-context`.
    case namedContext(String)
    /// An earlier stage, by its number in the Dockerfile.
    case stage(Int)
    case image(ImageRequest)
    case empty
}

/// An image that a build needs, and for which platform.
package struct ImageRequest: Hashable, Sendable {
    package let reference: ImageReference
    package let platform: Platform
}

/// `RUN`: a program, run in the root that the steps before have made.
package struct RunStep: Equatable, Sendable {
    /// The whole command line, the shell included.
    package var arguments: [String]
    /// What the program sees and what counts for the cache: the image's `ENV` and the `ARG`s declared so far. Proxies
    /// that were only passed as build arguments are in `BuildPlan.proxyEnvironment`.
    package var environment: [String]
    package var workingDirectory: String
    /// As `USER` has it; "" is root.
    package var user: String
    package var mounts: [MountStep]
    package var network: RunNetwork
    package var security: RunSecurity
    /// CDI devices, `vendor.com/class=name[,required]`.
    package var devices: [String]
    /// A heredoc that starts with `#!`: it appears read-only, mode 0755, as /dev/pipes/NAME, which the shell is
    /// told to run.
    package var script: InlineFile?
}

/// One `--mount` of a `RUN`.
package struct MountStep: Equatable, Sendable {
    package var mount: RunMount
    /// The stage, image or context that a bind or a cache starts from.
    package var source: FileSource
    /// Where it appears: absolute and clean. For a secret or an agent socket, "" where it has no path (a secret in a
    /// variable) or the usual one (`/run/buildkit/ssh_agent.0`).
    package var target: String
}

/// A file whose content stands in the Dockerfile.
package struct InlineFile: Equatable, Sendable {
    package var name: String
    package var content: String
}

/// `COPY` and `ADD`.
package struct CopyStep: Equatable, Sendable {
    package enum Source: Equatable, Sendable {
        /// A path inside the source's root, absolute and clean: `..` cannot leave it. It may hold wildcards
        /// (`PathPattern`). With `--parents`, `pattern` is what follows the pivot `/./`: what of it is copied with its
        /// parent folders; a wildcard there may be `**` too.
        case path(String, pattern: String?)
        /// A heredoc: a file of this name, mode 0644 unless `mode` says otherwise.
        case inline(InlineFile)
        case url(String)
        case git(String)
    }

    package var isAdd: Bool
    package var from: FileSource
    package var sources: [Source]
    /// Absolute and clean; a `/` at its end says that it is a folder.
    package var destination: String
    /// `user`, `user:group` or ids, as written; nil is root.
    package var owner: String?
    package var mode: ModeChange?
    package var link: Bool
    package var parents: Bool
    package var excludes: [String]
    /// Whether archives from `from` are unpacked: for ADD, unless `--unpack=false`.
    package var unpacksLocal: Bool
    /// Whether archives from a URL are unpacked: only with `--unpack`.
    package var unpacksRemote: Bool
    package var keepsGitDirectory: Bool
    package var checksum: String?

    /// Whether the destination has to be a folder whatever is there: it ends in `/` or `/.`, or several things go
    /// there.
    package var needsDirectory: Bool { destination.hasSuffix("/") || sources.count > 1 }
}

/// One change to an image's configuration.
package enum ConfigurationChange: Equatable, Sendable {
    case env([KeyValue])
    case label([KeyValue])
    case user(String)
    case expose([String])
    case volume([String])
    /// Forgets an inherited CMD, unless the stage has set one.
    case entrypoint([String], resetsCmd: Bool)
    case cmd([String])
    case shell([String])
    case stopSignal(String)
    case healthcheck(ContainerConfiguration.Healthcheck)
    case onBuild(String)
    case maintainer(String)

    /// Makes the change. A maintainer is not part of the configuration but the image's author.
    package func apply(to configuration: inout ContainerConfiguration) {
        switch self {
        case .env(let pairs):
            for pair in pairs {
                let entry = "\(pair.key)=\(pair.value)"
                if let index = configuration.env.firstIndex(where: { Variables.split($0).name == pair.key }) {
                    configuration.env[index] = entry
                } else {
                    configuration.env.append(entry)
                }
            }
        case .label(let pairs): for pair in pairs { configuration.labels[pair.key] = pair.value }
        case .user(let user): configuration.user = user
        case .expose(let ports): configuration.exposedPorts = Set(configuration.exposedPorts + ports).sorted()
        case .volume(let paths): configuration.volumes = Set(configuration.volumes + paths).sorted()
        case .entrypoint(let arguments, let resetsCmd):
            configuration.entrypoint = arguments.isEmpty ? nil : arguments
            if resetsCmd { configuration.cmd = nil }
        case .cmd(let arguments): configuration.cmd = arguments.isEmpty ? nil : arguments
        case .shell(let shell): configuration.shell = shell
        case .stopSignal(let signal): configuration.stopSignal = signal
        case .healthcheck(let check): configuration.healthcheck = check
        case .onBuild(let trigger): configuration.onBuild.append(trigger)
        case .maintainer: break
        }
    }
}
