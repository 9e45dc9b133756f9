import OCI

/// A template in the language of Go's text/template, as far as docker's `--format` uses it, over a JSON value:
/// fields, pipelines, variables, if, range, with, the comparisons, and docker's functions (json, join, split, upper…).
/// Not: define, template, block, and methods.
struct GoTemplate: Sendable {
    private let nodes: [TemplateNode]
    private let source: TemplateSource

    init(_ text: String) throws(TemplateError) {
        source = TemplateSource(text)
        let tokens = try TemplateLexer.tokens(source)
        var parser = TemplateParser(tokens: tokens, source: source)
        nodes = try parser.parseAll()
    }

    /// The text for a value. With `keepingText` functions like json and upper give their text unchanged: docker makes a
    /// table's headers that way.
    func render(_ value: JSON, keepingText: Bool = false) throws(TemplateError) -> String {
        var evaluator = TemplateEvaluator(source: source, root: value, keepingText: keepingText)
        _ = try evaluator.run(nodes, dot: value)
        return evaluator.output
    }
}

/// Text that is no template, or a template that does not fit its value; in the words of Go and docker.
struct TemplateError: Error, CustomStringConvertible, Sendable {
    let message: String

    var description: String { "template parsing error: \(message)" }
}

/// The template's bytes, and places in them as messages name them.
struct TemplateSource: Sendable {
    let bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8) }

    func text(_ range: Range<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }

    func parseError(_ place: Int, _ message: String) -> TemplateError {
        TemplateError(message: "template: :\(line(of: place)): \(message)")
    }

    func runError(_ place: Int, _ context: Range<Int>, _ message: String) -> TemplateError {
        var shown = text(context)
        if shown.utf8.count > 20 { shown = String(decoding: shown.utf8.prefix(20), as: UTF8.self) + "..." }
        let start = bytes[..<place].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let at = "\(line(of: place)):\(place - start)"
        return TemplateError(message: "template: :\(at): executing \"\" at <\(shown)>: \(message)")
    }

    private func line(of place: Int) -> Int { bytes[..<place].count { $0 == UInt8(ascii: "\n") } + 1 }
}

/// One piece of a template.
indirect enum TemplateNode: Sendable {
    case text(String)
    case action(TemplatePipeline)
    case condition(TemplatePipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case with(TemplatePipeline, then: [TemplateNode], otherwise: [TemplateNode])
    case range(TemplatePipeline, each: [TemplateNode], otherwise: [TemplateNode])
    case leave(again: Bool)
}

/// `$x := a | b | c`.
struct TemplatePipeline: Sendable {
    var variables: [String] = []
    /// `:=` rather than `=`.
    var declares = false
    var commands: [TemplateCommand] = []
}

/// A function and its arguments, or one operand.
struct TemplateCommand: Sendable {
    var operands: [TemplateOperand]
    var range: Range<Int>
}

struct TemplateOperand: Sendable {
    indirect enum Base: Sendable {
        case dot
        case variable(String)
        case function(String)
        case literal(JSON)
        case `nil`
        case parenthesis(TemplatePipeline)
    }

    var base: Base
    /// `.A.B` after it.
    var fields: [String] = []
    /// Where messages about it point to.
    var place: Int
    var range: Range<Int>
}
