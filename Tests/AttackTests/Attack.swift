import LinuxSystem
import OCI
import TestSupport

// The flaws of other engines as a suite, for any engine and any OCI runtime.
//
// What is attacked is a `Target`. An *engine* is given by the words that stand before docker's verbs (`podman`,
// `minirun --root R --state S`); of it the suite asks no more than
//     load -i ARCHIVE        takes an archive as `docker save` writes it
//     run --rm OPTIONS NAME COMMAND...
// since a build, a registry or a copy has other words everywhere. A *runtime* is a program with runc's command line; it gets a
// bundle. `ATTACK_TARGETS` names those to attack (`Target`); without it they are minirun and minirun-oci.
//
// An `Attack` is data: what lies in the root (`Entry`), what the image says of itself, docker's options or the changes to
// config.json that ask for the same, the program, and what in its output would be a proof. The same attack goes to both forms.
// Of the host the suite watches a `Victim`, a folder of its own with a file whose content is a secret: a snapshot of every name,
// kind, mode, owner, size, time and content in it is compared before and after, no mount may come to lie in it, and the secret
// may appear in no output. No path, link or id of an attack may lead anywhere else where it is taken for the host's: not to "/",
// not to /etc or /dev, save where a row is about /proc or a device. Whoever falls for it does as root what it says: crun 1.8.1, asked to
// delete the container "/", deleted a machine's /boot and /etc. Settings of the kernel are tried in a folder that stands for /proc/sys.
// And as a flaw may reach farther than its row thinks, the suite runs nowhere but on a copy of the machine that `Scripts/disposable`
// makes (`Disposable`).
//
// How it ended is a `Verdict`:
//     refused     the command failed, and said so
//     contained   it worked, and nothing of the host was read, changed or held up
//     broken      a legitimate image or option was refused (the regressions of cures)
//     hung        it took longer than its bound; the bound is many times what it should take
//     crashed     a signal of the kernel's, or a trace of the language's
//     ESCAPED     the victim changed, the secret was seen, or the proof was there
// The first two pass. Where an attack has variants, the worst of them counts. For a peer the row says why it does not pass
// (`Row.known`), and there it must not, so that each row is shown to see what it is about.
//
// With `ATTACK_TABLE` every outcome is a line of that file; `Scripts/attacks --write` makes the table of docs/security.md of it.

/// What lies at a place of the root, in the place of whatever is there.
enum Entry {
    case file(String, String, mode: UInt32 = 0o644)
    case link(String, to: String)
    case folder(String)
    case fifo(String)
    /// Not for engines: an archive has none.
    case socket(String)
    case device(String, major: Int, minor: Int)
    /// A file of that many bytes without a block.
    case holes(String, bytes: Int)
    /// A second name of a file.
    case hardLink(String, to: String)

    var path: String {
        switch self {
        case .file(let path, _, _), .link(let path, _), .folder(let path), .fifo(let path), .socket(let path),
            .device(let path, _, _), .holes(let path, _), .hardLink(let path, _):
            path
        }
    }
}

/// A change to config.json.
enum Edit {
    case set(String, JSON)
    case append(String, JSON)
    case remove(String)
    /// Takes away the mounts on this path and below it.
    case unmount(String)
    /// Takes away the mount on this path only.
    case uncover(String)
}

struct Attack {
    /// Replaces and adds, in this order.
    var root: [Entry] = []
    /// Members of the image's `config`: User, Env, WorkingDir, Labels.
    var image: [(String, JSON)] = []
    /// The image says it of itself: created, history, config. Nil leaves what there is.
    var document: ((inout JSON) -> Void)?
    /// docker's, for `run`.
    var options: [String] = []
    /// What the same options are in config.json.
    var edits: [Edit] = []
    var program = ["/bin/true"]
    /// On a terminal.
    var terminal = false
    /// Of the caller.
    var environment: [String: String] = [:]
    /// The caller's standard input is /dev/null.
    var silent = false
    /// Longer is "hung".
    var seconds = 30
    /// A legitimate thing: to be refused is wrong.
    var mustWork = false
    /// What is wrong in this outcome; nil where nothing is.
    var proof: (Outcome) -> String? = { _ in nil }
}

enum Verdict: Equatable {
    case refused
    case contained
    case broken(String)
    case hung(String)
    case crashed(String)
    case escaped(String)

    var isSafe: Bool { self == .refused || self == .contained }

    private var rank: Int {
        switch self {
        case .refused: 0
        case .contained: 1
        case .broken: 2
        case .hung: 3
        case .crashed: 4
        case .escaped: 5
        }
    }

    /// Of two variants of an attack the one that counts.
    func worse(_ other: Verdict) -> Verdict { other.rank > rank ? other : self }

    /// In a cell of the table.
    var word: String {
        switch self {
        case .refused: "refused"
        case .contained: "contained"
        case .broken: "broken"
        case .hung: "hung"
        case .crashed: "crashed"
        case .escaped: "ESCAPED"
        }
    }

    var why: String {
        switch self {
        case .refused, .contained: ""
        case .broken(let why), .hung(let why), .crashed(let why), .escaped(let why): why
        }
    }

    /// Without regard to the host: of what a command said and how it ended.
    init(_ result: Subprocess.Result, mustWork: Bool = false, proof: (Outcome) -> String? = { _ in nil }) {
        let outcome = Outcome(result)
        let said = outcome.out + outcome.err
        let traces = [
            "panic: ", "goroutine 1 [", "SIGSEGV", "Fatal error: ", "Illegal instruction", "*** stack smashing",
        ]
        // Of the kernel's signals those that a program gets for its own faults: ILL, TRAP, ABRT, BUS, FPE, SEGV.
        let faults: [Int32] = [132, 133, 134, 135, 136, 139]
        if result.timedOut {
            self = .hung(outcome.err)
        } else if faults.contains(outcome.code) || traces.contains(where: said.contains) {
            self = .crashed("\(outcome)")
        } else if said.contains(Victim.secret) {
            self = .escaped("the secret was read: \(outcome)")
        } else if let proof = proof(outcome) {
            self = .escaped("\(proof): \(outcome)")
        } else if outcome.code != 0 {
            // `timeout -s KILL`, where the command is in an engine's own namespaces.
            self = outcome.code == 137 ? .hung("\(outcome)") : mustWork ? .broken("\(outcome)") : .refused
        } else {
            self = .contained
        }
    }
}
