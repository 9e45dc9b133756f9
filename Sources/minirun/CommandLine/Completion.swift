/// Completion. The scripts are the same few lines whatever the table holds: they ask the program, by its inner verb `__complete`, for
/// what can stand at the cursor, since only it knows its options, images and containers. The answer has docker's form: a line for
/// each candidate, with a tab before its description, and a last one with a colon before what the shell is to do beside.
struct Completion: Equatable, Sendable {
    struct Candidate: Equatable, Sendable {
        let text: String
        var description = ""
    }

    /// What the shell does beside offering the candidates; cobra's numbers.
    struct Directive: OptionSet, Sendable {
        let rawValue: Int
        /// No blank after what was completed.
        static let noSpace = Directive(rawValue: 2)
        /// No files.
        static let noFiles = Directive(rawValue: 4)
        /// Folders only.
        static let folders = Directive(rawValue: 16)
    }

    var candidates: [Candidate] = []
    var directive: Directive = .noFiles

    var text: String {
        candidates.map { candidate in
            let description = Console.visible(candidate.description)
            return candidate.text + (description.isEmpty ? "" : "\t\(description)") + "\n"
        }.joined() + ":\(directive.rawValue)\n"
    }
}

extension CommandTable {
    static let shells = ["bash", "fish", "zsh"]
    static let completionSummary = "Print a completion script for a shell"

    /// nil for a shell that it does not know.
    func completionScript(for shell: String) -> String? {
        switch shell {
        case "bash": bashCompletion
        case "zsh": zshCompletion
        case "fish": fishCompletion
        default: nil
        }
    }

    /// Names and summaries that can follow the program (nil) or a group, sorted.
    func completions(in group: String?) -> [(name: String, summary: String)] {
        var words = verbs.filter { !$0.hidden }.compactMap { verb in
            CommandTable.shownName(of: verb, in: group).map { (name: String($0), summary: verb.summary) }
        }
        if group == nil {
            words += groups.map { ($0.name, $0.summary) }
            words += [("help", "Help about the command"), ("completion", CommandTable.completionSummary)]
        }
        return words.sorted { $0.name < $1.name }
    }

    /// bash splits words at "=" and ":", and puts a candidate in the place of the last piece alone: the pieces are joined before the
    /// program is asked, and what stands before the last one is taken off its answers.
    private var bashCompletion: String {
        """
        # bash completion for \(program)
        _\(program)() {
            local program=$1 current=$2 rest=${COMP_LINE:0:COMP_POINT} words=() line directive prefix at trimmed
            type -P "$program" >/dev/null || program=\(program)
            for ((at = 0; at < COMP_CWORD; at++)); do
                trimmed=${rest#"${rest%%[![:space:]]*}"}
                if ((at > 0)) && [[ $trimmed == "$rest" ]]; then
                    words[-1]+=${COMP_WORDS[at]}
                else
                    words+=("${COMP_WORDS[at]}")
                fi
                rest=${trimmed#"${COMP_WORDS[at]}"}
            done
            trimmed=${rest#"${rest%%[![:space:]]*}"}
            if [[ $trimmed == "$rest" && -n $rest ]]; then words[-1]+=$rest; else words+=("$trimmed"); fi
            prefix=${words[-1]%"$current"}
            local lines=()
            mapfile -t lines < <("$program" __complete "${words[@]:1}" 2>/dev/null)
            ((${#lines[@]})) || return
            directive=${lines[-1]#:}
            unset 'lines[-1]'
            COMPREPLY=()
            for line in "${lines[@]}"; do
                line=${line%%$'\\t'*}
                COMPREPLY+=("${line#"$prefix"}")
            done
            if ((directive & 2)); then compopt -o nospace; fi
            if ((directive & 16)); then
                compopt -o filenames
                mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -d -- "$current")
            elif ! ((directive & 4)); then
                compopt -o filenames
                mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$current")
            fi
        }
        complete -F _\(program) \(program)

        """
    }

    private var zshCompletion: String {
        """
        #compdef \(program)
        _\(program)() {
            local program=${words[1]} line directive
            local -a lines candidates options
            (($+commands[$program])) || [[ -x $program ]] || program=\(program)
            lines=("${(@f)$("$program" __complete "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
            ((${#lines})) || return 1
            directive=${lines[-1]#:}
            for line in "${(@)lines[1,-2]}"; do
                if [[ $line == *$'\\t'* ]]; then
                    candidates+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}")
                else
                    candidates+=("${line//:/\\\\:}")
                fi
            done
            ((directive & 2)) && options=(-S '')
            ((${#candidates})) && _describe -V \(program) candidates $options
            if ((directive & 16)); then
                compset -P '*[=:]'
                _files -/
            elif ! ((directive & 4)); then
                compset -P '*[=:]'
                _files
            fi
        }
        if [[ $funcstack[1] == _\(program) ]]; then _\(program) "$@"; else compdef _\(program) \(program); fi

        """
    }

    private var fishCompletion: String {
        """
        # fish completion for \(program)
        function __\(program)_complete
            set -l words (commandline -opc) (commandline -ct)
            set -l program $words[1]
            type -q -- $program; or set program \(program)
            set -l lines ($program __complete $words[2..] 2>/dev/null)
            test (count $lines) -gt 0; or return
            set -l directive (string replace : '' -- $lines[-1])
            set -e lines[-1]
            if test (count $lines) -gt 0
                printf '%s\\n' $lines
            end
            if test (math "bitand($directive, 16)") -ne 0
                __fish_complete_directories (commandline -ct)
            else if test (math "bitand($directive, 4)") -eq 0
                __fish_complete_path (commandline -ct)
            end
        end
        complete -c \(program) -f -a '(__\(program)_complete)'

        """
    }
}

extension Option {
    /// `--env`, `-e`.
    var dashed: [String] { ["--\(name)"] + (short.map { ["-\($0)"] } ?? []) }

    /// The first line of the help.
    var brief: String { String(help.prefix { $0 != "\n" }) }
}
