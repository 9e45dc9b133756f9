extension CommandTable {
    var zshCompletion: String {
        var script = """
            #compdef \(program)
            _\(program)_images() { local -a names; names=(${(f)"$(\(imageList))"}); compadd -a names }
            _\(program)_containers() { local -a names; names=(${(f)"$(\(containerList))"}); compadd -a names }
            _\(program)_words() { local -a words; words=("$@"); _describe command words }
            _\(program)() {
                local curcontext=$curcontext state line form
                _arguments -C \(CommandTable.globalOptions.map(zshSpecification).joined(separator: " ")) \
            '1: :->verb' '*::: :->rest'
                form=$line[1]
                case $state in
                verb) _\(program)_words \(zshWords(in: nil)); return ;;
                esac
                case $form in
                \(groups.map(\.name).joined(separator: "|")))
                    if ((CURRENT == 2)); then
                        case $form in

            """
        for group in groups {
            script += "            \(group.name)) _\(program)_words \(zshWords(in: group.name)) ;;\n"
        }
        script += """
                        esac
                        return
                    fi
                    form="$form $line[2]"; shift words; ((CURRENT--)) ;;
                esac
                case $form in
                completion) _values shell bash fish zsh ;;

            """
        for verb in verbs where !verb.hidden {
            let options = verb.options().filter(\.isShown).map(zshSpecification)
            let stop = verb.interspersed ? "" : " -A '-*'"
            script += "    \(verb.forms.map { $0.zshQuoted }.joined(separator: "|")))\n        _arguments -s\(stop) "
            script += (options + ["'--help[Print usage]'", "'*: :\(zshAction(verb.completes))'"]).joined(separator: " ")
            script += " ;;\n"
        }
        return script + "    esac\n}\ncompdef _\(program) \(program)\n"
    }

    private func zshWords(in group: String?) -> String {
        completions(in: group).map { "\($0.name):\($0.summary)".zshQuoted }.joined(separator: " ")
    }

    private func zshSpecification(_ option: Option) -> String {
        var text = option.brief.filter { $0 != "[" && $0 != "]" }
        text = "[\(text.replacingColons)]"
        if option.takesNextWord { text += ":\(option.name):\(option.valueKind.map(zshAction) ?? "")" }
        let repeats = if case .list = option.kind { "*" } else { "" }
        return option.dashed.map { (repeats + $0 + text).zshQuoted }.joined(separator: " ")
    }

    private func zshAction(_ kind: ValueKind) -> String {
        switch kind {
        case .image: "_\(program)_images"
        case .container: "_\(program)_containers"
        case .file: "_files"
        case .directory: "_files -/"
        case .choice(let words): "(\(words.joined(separator: " ")))"
        default: ""
        }
    }

    var fishCompletion: String {
        let names = groups.map(\.name).joined(separator: " ")
        let valued = CommandTable.globalOptions.filter(\.takesNextWord).flatMap(\.dashed).joined(separator: " ")
        var script = """
            # fish completion for \(program)
            function __\(program)_form
                set -l words (commandline -opc)[2..]
                set -l form
                while test (count $words) -gt 0
                    if contains -- $words[1] \(valued)
                        set words $words[3..]
                    else if string match -q -- '-*' $words[1]
                        set words $words[2..]
                    else
                        set form $words[1]
                        if contains -- $form \(names); and test (count $words) -gt 1
                            set form "$form $words[2]"
                        end
                        break
                    end
                end
                echo "$form"
            end
            function __\(program)_is
                contains -- (__\(program)_form) $argv
            end
            complete -c \(program) -f

            """
        func add(_ condition: String, _ rest: String) {
            script += "complete -c \(program) -n \"__\(program)_is \(condition)\" \(rest)\n"
        }
        for option in CommandTable.globalOptions { add("''", fishOption(option)) }
        for (name, summary) in completions(in: nil) { add("''", "-a \(name) -d \(summary.fishQuoted)") }
        add("completion", "-a 'bash fish zsh'")
        for group in groups {
            for (name, summary) in completions(in: group.name) {
                add(group.name, "-a \(name) -d \(summary.fishQuoted)")
            }
        }
        for verb in verbs where !verb.hidden {
            let forms = verb.forms.map { "'\($0)'" }.joined(separator: " ")
            for option in verb.options() where option.isShown { add(forms, fishOption(option)) }
            let action = fishAction(verb.completes)
            if !action.isEmpty { add(forms, action) }
        }
        return script
    }

    private func fishOption(_ option: Option) -> String {
        var text = "-l \(option.name)"
        if let short = option.short { text += " -s \(short)" }
        if option.takesNextWord, let kind = option.valueKind {
            let action = fishAction(kind)
            text += action.isEmpty ? " -x" : " -r \(action)"
        }
        return text + " -d \(option.brief.fishQuoted)"
    }

    private func fishAction(_ kind: ValueKind) -> String {
        switch kind {
        case .image: "-a \"(\(imageList))\""
        case .container: "-a \"(\(containerList))\""
        case .file: "-F"
        case .directory: "-a '(__fish_complete_directories)'"
        case .choice(let words): "-a '\(words.joined(separator: " "))'"
        default: ""
        }
    }
}

extension String {
    fileprivate var zshQuoted: String { "'" + map { $0 == "'" ? "'\\''" : String($0) }.joined() + "'" }

    fileprivate var fishQuoted: String {
        "'" + map { $0 == "'" || $0 == "\\" ? "\\\($0)" : String($0) }.joined() + "'"
    }

    fileprivate var replacingColons: String { map { $0 == ":" ? "\\:" : String($0) }.joined() }
}
