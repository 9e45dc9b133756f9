import OCI

/// One instruction of a Dockerfile, read but not expanded: variables still stand in it.
///
/// Source: Dockerfile reference, https://docs.docker.com/reference/dockerfile/
package struct Instruction: Equatable, Sendable {
    package let action: Action
    /// The keyword as it was written: `RUN`, `run`.
    package let keyword: String
    package let range: SourceRange
    /// The whole instruction on one line: continuation lines joined, comments left out, heredocs not included.
    package let original: String
    /// The comments directly above, without their `#`.
    package let comments: [String]

    package enum Action: Equatable, Sendable {
        case from(FromInstruction)
        case arg([ArgDefinition])
        case env([KeyValue])
        case label([KeyValue])
        case workdir(String)
        case copy(CopyInstruction)
        case add(CopyInstruction)
        case run(RunInstruction)
        case user(String)
        /// Sorted, as BuildKit does before it expands them.
        case expose([String])
        case volume([String])
        case entrypoint(CommandForm)
        case cmd(CommandForm)
        case shell([String])
        case stopSignal(String)
        case healthcheck(ContainerConfiguration.Healthcheck)
        /// The instruction's text, its heredocs included.
        case onBuild(String)
        case maintainer(String)
    }

    /// Whether BuildKit counts it as a step that may make a layer.
    package var countsAsStep: Bool {
        switch action {
        case .copy, .add, .run, .workdir: true
        default: false
        }
    }
}

/// `FROM [--platform=p] base [AS name]`
package struct FromInstruction: Equatable, Sendable {
    package var base: String
    /// In lower case.
    package var name: String?
    package var platform: String?
    /// The `AS` as it was written, and the name.
    package var asKeyword: String?
    package var writtenName: String?
}

/// One definition of an ARG: `name` or `name=default`.
package struct ArgDefinition: Equatable, Sendable {
    package var name: String
    package var value: String?
}

/// One pair of ENV or LABEL.
package struct KeyValue: Equatable, Sendable {
    package var key: String
    package var value: String
    /// The old form, `ENV key value`.
    package var isLegacy = false

    package init(_ key: String, _ value: String, isLegacy: Bool = false) {
        self.key = key
        self.value = value
        self.isLegacy = isLegacy
    }
}

/// What a command looks like: a list for exec, or a line for the shell.
package enum CommandForm: Equatable, Sendable {
    case exec([String])
    case shell(String)
}

/// `COPY` and `ADD`. A flag that only the other of the two has is never set.
package struct CopyInstruction: Equatable, Sendable {
    package var sources: [String]
    package var heredocs: [Heredoc]
    package var destination: String
    package var from: String?
    package var chown: String?
    package var chmod: String?
    package var link = false
    package var parents = false
    package var excludes: [String] = []
    package var keepGitDirectory: Bool?
    package var checksum: String?
    package var unpack: Bool?
}

/// `RUN` with its flags.
package struct RunInstruction: Equatable, Sendable {
    package var command: CommandForm
    package var heredocs: [Heredoc]
    /// The texts of `--mount`, not expanded yet; `RunMount` reads them.
    package var mounts: [String]
    package var network: RunNetwork
    package var security: RunSecurity
    /// The texts of `--device`.
    package var devices: [String]
}

/// `RUN --network=`
package enum RunNetwork: String, Sendable {
    case `default`, none, host
}

/// `RUN --security=`
package enum RunSecurity: String, Sendable {
    case sandbox, insecure
}
