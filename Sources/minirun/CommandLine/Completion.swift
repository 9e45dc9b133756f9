/// Completion scripts: plain data for the shell, made from the same table as the parser. Only the names of images and
/// containers are asked from the program when they are needed.
extension CommandTable {
    /// nil for a shell that it does not know.
    func completionScript(for shell: String) -> String? {
        switch shell {
        case "bash": bashCompletion
        case "zsh": zshCompletion
        case "fish": fishCompletion
        default: nil
        }
    }

    /// What lists images and containers for a shell.
    var imageList: String { "\(program) images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null" }
    var containerList: String { "\(program) ps --all --format '{{.Names}}' 2>/dev/null" }

    /// Names and summaries that can follow the program (nil) or a group, sorted.
    func completions(in group: String?) -> [(name: String, summary: String)] {
        var words = verbs.filter { !$0.hidden }.compactMap { verb in
            CommandTable.shownName(of: verb, in: group).map { (name: String($0), summary: verb.summary) }
        }
        if group == nil {
            words += groups.map { ($0.name, $0.summary) }
            words += [("help", "Help about the command"), ("completion", "Print a completion script for a shell")]
        }
        return words.sorted { $0.name < $1.name }
    }

    private var bashCompletion: String {
        let valued = CommandTable.globalOptions.filter(\.takesNextWord).flatMap(\.dashed)
        var script = """
            # bash completion for \(program)
            _\(program)() {
                local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} form= at=1 kind=
                while ((at < COMP_CWORD)); do
                    case ${COMP_WORDS[at]} in
                    \(valued.joined(separator: "|"))) ((at++)) ;;
                    -*) ;;
                    *) form=${COMP_WORDS[at]}; break ;;
                    esac
                    ((at++))
                done
                case $form in
                \(groups.map(\.name).joined(separator: "|")))
                    if ((at + 1 < COMP_CWORD)); then form="$form ${COMP_WORDS[at+1]}"; fi ;;
                esac
                local words= options= image='' container=''
                case $form in
                '') words='\(completions(in: nil).map(\.name).joined(separator: " "))'
                    options='\(CommandTable.globalOptions.flatMap(\.dashed).joined(separator: " ")) --help' ;;
                completion) words='bash fish zsh' ;;

            """
        for group in groups {
            script +=
                "    \(group.name)) words='\(completions(in: group.name).map(\.name).joined(separator: " "))' ;;\n"
        }
        for verb in verbs where !verb.hidden {
            let options = verb.options().filter(\.isShown)
            script += "    \(verb.forms.map { "'\($0)'" }.joined(separator: "|")))\n"
            script += "        options='\(options.flatMap(\.dashed).joined(separator: " ")) --help'\n"
            script += "        kind=\(CommandTable.bashKind(verb.completes))\n"
            let taking = options.filter(\.takesNextWord)
            if !taking.isEmpty {
                script += "        case $prev in\n"
                for option in taking {
                    let kind = option.valueKind.map(CommandTable.bashKind) ?? "none"
                    script += "        \(option.dashed.joined(separator: "|"))) kind=\(kind); options= ;;\n"
                }
                script += "        esac\n"
            }
            script += "        ;;\n"
        }
        return script + """
                esac
                case $kind in
                image) words=$(\(imageList)) ;;
                container) words=$(\(containerList)) ;;
                file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
                directory) COMPREPLY=($(compgen -d -- "$cur")); return ;;
                choice:*) words=${kind#choice:}; words=${words//,/ } ;;
                esac
                if [[ $cur == -* ]]; then words=$options; fi
                COMPREPLY=($(compgen -W "$words" -- "$cur"))
            }
            complete -o bashdefault -F _\(program) \(program)

            """
    }

    private static func bashKind(_ kind: ValueKind) -> String {
        switch kind {
        case .image: "image"
        case .container: "container"
        case .file: "file"
        case .directory: "directory"
        case .choice(let words): "choice:" + words.joined(separator: ",")
        default: "none"
        }
    }
}

extension Option {
    /// `--env`, `-e`.
    var dashed: [String] { ["--\(name)"] + (short.map { ["-\($0)"] } ?? []) }

    /// The first line of the help.
    var brief: String { String(help.prefix { $0 != "\n" }) }
}
