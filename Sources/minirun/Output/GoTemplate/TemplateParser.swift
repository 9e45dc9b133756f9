import OCI

/// Makes nodes of tokens.
struct TemplateParser {
    private let tokens: [TemplateToken]
    private let source: TemplateSource
    private var at = 0
    /// The variables in scope.
    private var variables = ["$"]
    private var loops = 0

    init(tokens: [TemplateToken], source: TemplateSource) {
        self.tokens = tokens
        self.source = source
    }

    mutating func parseAll() throws(TemplateError) -> [TemplateNode] {
        let (nodes, stop) = try list()
        if let stop { throw source.parseError(stop.place, "unexpected {{\(stop.word)}}") }
        return nodes
    }

    /// What ended a list: `else` or `end`.
    private struct Stop {
        let word: String
        let place: Int
    }

    private mutating func list() throws(TemplateError) -> ([TemplateNode], Stop?) {
        var nodes: [TemplateNode] = []
        while true {
            let token = next()
            switch token.kind {
            case .text(let text): nodes.append(.text(text))
            case .open:
                skipSpace()
                if case .word(let word) = peek.kind, word == "end" || word == "else" {
                    let place = next().range.lowerBound
                    skipSpace()
                    if word == "end" { try expectClose("end") }
                    return (nodes, Stop(word: word, place: place))
                }
                nodes.append(try action())
            default: return (nodes, nil)
            }
        }
    }

    /// What follows `{{`.
    private mutating func action() throws(TemplateError) -> TemplateNode {
        guard case .word(let word) = peek.kind else { return try pipelineAction() }
        switch word {
        case "if", "with", "range":
            _ = next()
            return try control(word)
        case "break", "continue":
            let place = next().range.lowerBound
            skipSpace()
            try expectClose(word)
            if loops == 0 { throw source.parseError(place, "{{\(word)}} outside {{range}}") }
            return .leave(again: word == "continue")
        case "define", "template", "block":
            throw source.parseError(peek.range.lowerBound, "{{\(word)}} is not supported")
        default: return try pipelineAction()
        }
    }

    private mutating func pipelineAction() throws(TemplateError) -> TemplateNode {
        let pipeline = try self.pipeline("command", declarations: 1)
        try expectClose("command")
        return .action(pipeline)
    }

    private mutating func control(_ word: String) throws(TemplateError) -> TemplateNode {
        let scope = variables.count
        let pipeline = try self.pipeline(word, declarations: word == "range" ? 2 : 1)
        try expectClose(word)
        if word == "range" { loops += 1 }
        let (then, stop) = try list()
        if word == "range" { loops -= 1 }
        guard let stop else { throw source.parseError(source.bytes.count, "unexpected EOF") }
        var otherwise: [TemplateNode] = []
        if stop.word == "else" { otherwise = try afterElse(word) }
        variables.removeLast(variables.count - scope)
        switch word {
        case "if": return .condition(pipeline, then: then, otherwise: otherwise)
        case "with": return .with(pipeline, then: then, otherwise: otherwise)
        default: return .range(pipeline, each: then, otherwise: otherwise)
        }
    }

    /// `else}}…{{end}}`, or `else if …` whose end is also this one's.
    private mutating func afterElse(_ word: String) throws(TemplateError) -> [TemplateNode] {
        if case .word(let inner) = peek.kind, inner == word, word != "range" {
            _ = next()
            return [try control(word)]
        }
        try expectClose("else")
        let (nodes, stop) = try list()
        guard let stop else { throw source.parseError(source.bytes.count, "unexpected EOF") }
        guard stop.word == "end" else { throw source.parseError(stop.place, "expected end; found {{else}}") }
        return nodes
    }

    private mutating func pipeline(_ context: String, declarations: Int) throws(TemplateError) -> TemplatePipeline {
        var pipeline = TemplatePipeline()
        skipSpace()
        try declarationsBefore(&pipeline, context, limit: declarations)
        while true {
            skipSpace()
            let command = try self.command(context)
            if command.operands.isEmpty { throw missingValue(context) }
            pipeline.commands.append(command)
            skipSpace()
            guard peek.kind == .symbol("|") else { break }
            _ = next()
        }
        if pipeline.declares { variables += pipeline.variables }
        return pipeline
    }

    private func missingValue(_ context: String) -> TemplateError {
        let message = peek.kind == .symbol("|") ? "unexpected \"|\" in command" : "missing value for \(context)"
        return source.parseError(peek.range.lowerBound, message)
    }

    /// `$i, $x :=` in front of a pipeline, or nothing.
    private mutating func declarationsBefore(_ pipeline: inout TemplatePipeline, _ context: String, limit: Int)
        throws(TemplateError)
    {
        let start = at
        var names: [String] = []
        while case .variable(let name) = peek.kind {
            _ = next()
            names.append(name)
            skipSpace()
            guard peek.kind == .symbol(",") else { break }
            if names.count == limit {
                throw source.parseError(peek.range.lowerBound, "too many declarations in \(context)")
            }
            _ = next()
            skipSpace()
        }
        guard !names.isEmpty, peek.kind == .symbol(":=") || peek.kind == .symbol("=") else {
            at = start
            return
        }
        pipeline.variables = names
        pipeline.declares = next().kind == .symbol(":=")
        if !pipeline.declares { for name in names { try checkVariable(name) } }
    }

    private mutating func command(_ context: String) throws(TemplateError) -> TemplateCommand {
        let start = peek.range.lowerBound
        var command = TemplateCommand(operands: [], range: start..<start)
        while let operand = try operand() {
            if !command.operands.isEmpty, case .function(let name) = operand.base,
                !TemplateFunctions.names.contains(name)
            {
                throw source.parseError(operand.place, "function \(name.goQuoted) not defined")
            }
            command.operands.append(operand)
            command.range = start..<operand.range.upperBound
            guard peek.kind == .space else { break }
            skipSpace()
        }
        switch peek.kind {
        case .close, .symbol("|"), .symbol(")"): return command
        case .end: throw source.parseError(peek.range.lowerBound, "unexpected EOF")
        default:
            throw source.parseError(peek.range.lowerBound, "unexpected \(shown(peek)) in operand")
        }
    }

    private mutating func operand() throws(TemplateError) -> TemplateOperand? {
        let token = peek
        let base: TemplateOperand.Base
        var fields: [String] = []
        switch token.kind {
        case .dot: base = .dot
        case .field(let name): (base, fields) = (.dot, [name])
        case .variable(let name):
            try checkVariable(name)
            base = .variable(name)
        case .string(let text): base = .literal(.string(text))
        case .number(let text): base = .literal(.number(text))
        case .word("true"): base = .literal(.bool(true))
        case .word("false"): base = .literal(.bool(false))
        case .word("nil"): base = .nil
        case .word(let name):
            guard TemplateFunctions.names.contains(name) else {
                throw source.parseError(token.range.lowerBound, "function \(name.goQuoted) not defined")
            }
            base = .function(name)
        case .symbol("("):
            _ = next()
            let pipeline = try self.pipeline("parenthesized pipeline", declarations: 1)
            guard peek.kind == .symbol(")") else {
                throw source.parseError(token.range.lowerBound, "unclosed left paren")
            }
            base = .parenthesis(pipeline)
        default: return nil
        }
        var end = next().range.upperBound
        var place = token.range.lowerBound
        let start = place
        var first = true
        while case .field(let name) = peek.kind {
            if first { place = peek.range.lowerBound }
            first = false
            fields.append(name)
            end = next().range.upperBound
        }
        return TemplateOperand(base: base, fields: fields, place: place, range: start..<end)
    }

    private func checkVariable(_ name: String) throws(TemplateError) {
        if !variables.contains(name) {
            throw source.parseError(peek.range.lowerBound, "undefined variable \(name.goQuoted)")
        }
    }

    private mutating func expectClose(_ context: String) throws(TemplateError) {
        skipSpace()
        let token = next()
        if token.kind == .symbol(")") { throw source.parseError(token.range.lowerBound, "unexpected right paren") }
        if token.kind != .close {
            throw source.parseError(token.range.lowerBound, "unexpected \(shown(token)) in \(context)")
        }
    }

    private func shown(_ token: TemplateToken) -> String {
        token.kind == .end ? "EOF" : "<\(source.text(token.range))>"
    }

    private var peek: TemplateToken { tokens[min(at, tokens.count - 1)] }

    private mutating func next() -> TemplateToken {
        let token = peek
        at += 1
        return token
    }

    private mutating func skipSpace() { while peek.kind == .space { at += 1 } }
}
