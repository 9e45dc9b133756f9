extension InstructionParser {
    private static let shared: [String: FlagSet.Kind] = [
        "chown": .string, "chmod": .string, "link": .boolean, "exclude": .strings,
    ]

    func copy() throws(MessageError) -> CopyInstruction {
        let own: [String: FlagSet.Kind] = ["from": .string, "parents": .boolean]
        var (copy, flags) = try sourcesAndDestination("COPY", own)
        copy.from = flags.string("from").flatMap { $0.isEmpty ? nil : $0 }
        copy.parents = flags.boolean("parents") ?? false
        return copy
    }

    func add() throws(MessageError) -> CopyInstruction {
        let own: [String: FlagSet.Kind] = ["keep-git-dir": .boolean, "checksum": .string, "unpack": .boolean]
        var (add, flags) = try sourcesAndDestination("ADD", own)
        add.keepGitDirectory = flags.boolean("keep-git-dir")
        add.checksum = flags.string("checksum").flatMap { $0.isEmpty ? nil : $0 }
        add.unpack = flags.boolean("unpack")
        return add
    }

    private func sourcesAndDestination(
        _ name: String,
        _ own: [String: FlagSet.Kind]
    ) throws(MessageError) -> (CopyInstruction, FlagSet) {
        let words = try raw.execFormOrWords()
        guard let destination = words.last, words.count >= 2 else {
            let why = "but only one was provided. Destination could not be determined"
            throw MessageError("\(name) requires at least two arguments, \(why)")
        }
        let flags = try FlagSet(raw.flags, known: InstructionParser.shared.merging(own) { _, new in new })
        if (try? Heredoc(destination.text)) ?? nil != nil {
            throw MessageError("\(name) cannot accept a heredoc as a destination", at: destination.offset)
        }
        var copy = CopyInstruction(sources: [], heredocs: [], destination: destination.text)
        for word in words.dropLast() {
            if let announced = (try? Heredoc(word.text)) ?? nil {
                // Of two heredocs of one name the later one's content counts for both, as in BuildKit.
                var heredoc = announced
                heredoc.content = raw.heredocs.last { $0.name == announced.name }?.content ?? ""
                copy.heredocs.append(heredoc)
            } else {
                copy.sources.append(word.text)
            }
        }
        copy.chown = flags.string("chown")
        copy.chmod = flags.string("chmod")
        copy.link = flags.boolean("link") ?? false
        copy.excludes = flags.words("exclude").map(\.text)
        return (copy, flags)
    }
}
