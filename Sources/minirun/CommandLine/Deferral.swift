/// What becomes of an option that docker has and that is not carried out here: it is parsed and checked as docker's, asking for what
/// is the case anyway passes, and asking for anything else is refused, so that nobody gets less than they asked for.
struct Deferral: Sendable {
    /// Why it is refused: "not supported yet".
    let reason: String
    /// Whether the texts that were given, in order and at least one, ask for what is the case anyway.
    let isTheCase: @Sendable (_ texts: [String], _ parsed: ParsedArguments) -> Bool
}

extension Option {
    /// The same option, known but not carried out, except that the last text given may be one of `passing`. Empty texts always pass,
    /// and so does a flag that is off: to docker both mean that nothing was asked for.
    func notYet(_ reason: String = "not supported yet", passing: String...) -> Option {
        deferred(reason) { texts, _ in
            switch kind {
            case .flag: texts.last.map { (try? Scalars.boolean($0)) == false } ?? true
            case .list: texts.allSatisfy { $0.isEmpty || passing.contains($0) }
            case .value, .optional, .alias: texts.last.map { $0.isEmpty || passing.contains($0) } ?? true
            }
        }
    }

    /// The same option, carried out in no way because whatever it says is the case anyway.
    func passes() -> Option { deferred("") { _, _ in true } }

    func deferred(
        _ reason: String,
        unless isTheCase: @escaping @Sendable (_ texts: [String], _ parsed: ParsedArguments) -> Bool
    ) -> Option {
        var option = self
        option.deferral = Deferral(reason: reason, isTheCase: isTheCase)
        return option
    }
}

extension ParsedArguments {
    /// The first option given that asks for what is not carried out, as a message.
    var refusal: String? {
        for place in given.map(\.option) {
            let option = options[place]
            guard let deferral = option.deferral, !deferral.isTheCase(values(option.name), self) else { continue }
            return "--\(option.name): \(deferral.reason)"
        }
        return nil
    }
}
