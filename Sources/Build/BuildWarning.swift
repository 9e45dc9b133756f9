/// One finding of BuildKit's build checks (https://docs.docker.com/reference/build-checks/).
package struct BuildWarning: Hashable, Sendable, CustomStringConvertible {
    package enum Rule: String, CaseIterable, Sendable {
        case stageNameCasing = "StageNameCasing"
        case fromAsCasing = "FromAsCasing"
        case noEmptyContinuation = "NoEmptyContinuation"
        case consistentInstructionCasing = "ConsistentInstructionCasing"
        case duplicateStageName = "DuplicateStageName"
        case reservedStageName = "ReservedStageName"
        case jsonArgsRecommended = "JSONArgsRecommended"
        case maintainerDeprecated = "MaintainerDeprecated"
        case undefinedArgInFrom = "UndefinedArgInFrom"
        case workdirRelativePath = "WorkdirRelativePath"
        case undefinedVar = "UndefinedVar"
        case multipleInstructionsDisallowed = "MultipleInstructionsDisallowed"
        case legacyKeyValueFormat = "LegacyKeyValueFormat"
        case redundantTargetPlatform = "RedundantTargetPlatform"
        case secretsUsedInArgOrEnv = "SecretsUsedInArgOrEnv"
        case invalidDefaultArgInFrom = "InvalidDefaultArgInFrom"
        case fromPlatformFlagConstDisallowed = "FromPlatformFlagConstDisallowed"
        case exposeProtoCasing = "ExposeProtoCasing"
        case exposeInvalidFormat = "ExposeInvalidFormat"

        /// The page that explains the rule.
        package var url: String {
            var slug = ""
            var previous: Character?
            for letter in rawValue {
                // JSONArgs becomes json-args: the last capital of several starts the next word.
                if letter.isUppercase, let previous, !previous.isUppercase { slug += "-" }
                slug += letter.lowercased()
                previous = letter
            }
            if self == .jsonArgsRecommended { slug = "json-args-recommended" }
            return "https://docs.docker.com/go/dockerfile/rule/\(slug)/"
        }
    }

    package let rule: Rule
    package let message: String
    package let range: SourceRange

    /// `JSONArgsRecommended: JSON arguments recommended for CMD … (line 3)`
    package var description: String { "\(rule.rawValue): \(message) (line \(range.line))" }
}

/// Which rules are checked: `# check=skip=JSONArgsRecommended,StageNameCasing;error=true`, at the top of a Dockerfile
/// or, for the skips, in the comments above one instruction.
struct CheckSettings {
    private(set) var skipsAll = false
    private(set) var skipped: Set<String> = []
    private(set) var warningsAreErrors = false

    init() {}

    init(_ text: String) throws(MessageError) {
        for part in text.trimmed.split(separator: ";") {
            let (key, value) = Variables.split(String(part))
            switch key.trimmed {
            case "skip" where value.trimmed == "all": skipsAll = true
            case "skip": skipped = Set(value.split(separator: ",").map { String($0).trimmed })
            case "error":
                guard let bool = GoText.bool(value.trimmed) else {
                    throw MessageError("failed to parse check option \(GoText.quote(String(part)))")
                }
                warningsAreErrors = bool
            // Its rules are none that we have.
            case "experimental": break
            default: throw MessageError("invalid check option \(GoText.quote(key.trimmed))")
            }
        }
    }

    func allows(_ rule: BuildWarning.Rule) -> Bool { !skipsAll && !skipped.contains(rule.rawValue) }

    /// These settings with the skips of an instruction's comments.
    func merged(with comments: [String]) -> CheckSettings {
        var merged = self
        for comment in comments {
            let (key, value) = Variables.split(comment)
            guard key.trimmed.lowercased() == "check", let own = try? CheckSettings(value) else { continue }
            merged.skipsAll = merged.skipsAll || own.skipsAll
            merged.skipped.formUnion(own.skipped)
        }
        return merged
    }
}

/// Collects warnings, each once, without those that are skipped.
struct WarningCollector {
    let settings: CheckSettings
    private var found: [BuildWarning] = []
    /// Nobody reads more.
    private static let kept = 1000

    init(settings: CheckSettings) { self.settings = settings }

    mutating func add(_ rule: BuildWarning.Rule, _ message: String, _ instruction: Instruction) {
        add(rule, message, instruction.range, comments: instruction.comments)
    }

    mutating func add(_ rule: BuildWarning.Rule, _ message: String, _ range: SourceRange, comments: [String] = []) {
        if found.count == WarningCollector.kept { return }
        let warning = BuildWarning(rule: rule, message: message, range: range)
        if settings.merged(with: comments).allows(rule), !found.contains(warning) { found.append(warning) }
    }

    /// Ordered by line.
    var warnings: [BuildWarning] {
        found.enumerated().sorted { ($0.element.range.line, $0.offset) < ($1.element.range.line, $1.offset) }.map(
            \.element
        )
    }
}
