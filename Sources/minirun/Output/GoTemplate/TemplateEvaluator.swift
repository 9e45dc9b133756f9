import OCI

/// Walks the nodes and writes text.
struct TemplateEvaluator {
    let source: TemplateSource
    let keepingText: Bool
    private(set) var output = ""
    private var variables: [(name: String, value: JSON)]

    /// How a list of nodes ended.
    enum Ending { case normal, broken, continued }

    init(source: TemplateSource, root: JSON, keepingText: Bool) {
        self.source = source
        self.keepingText = keepingText
        variables = [("$", root)]
    }

    mutating func run(_ nodes: [TemplateNode], dot: JSON) throws(TemplateError) -> Ending {
        for node in nodes {
            let ending = try run(node, dot: dot)
            if ending != .normal { return ending }
        }
        return .normal
    }

    private mutating func run(_ node: TemplateNode, dot: JSON) throws(TemplateError) -> Ending {
        let scope = variables.count
        switch node {
        case .text(let text): output += text
        case .action(let pipeline):
            let value = try evaluate(pipeline, dot: dot)
            // A variable lives on until the list that declares it ends.
            if pipeline.variables.isEmpty { output += TemplatePrinter.top(value) }
            return .normal
        case .condition(let pipeline, let then, let otherwise):
            let value = try evaluate(pipeline, dot: dot)
            let ending = try run(TemplateFunctions.isTrue(value) ? then : otherwise, dot: dot)
            variables.removeLast(variables.count - scope)
            return ending
        case .with(let pipeline, let then, let otherwise):
            let value = try evaluate(pipeline, dot: dot)
            let ending = TemplateFunctions.isTrue(value) ? try run(then, dot: value) : try run(otherwise, dot: dot)
            variables.removeLast(variables.count - scope)
            return ending
        case .range(let pipeline, let each, let otherwise):
            let ending = try loop(pipeline, each, otherwise, dot: dot)
            variables.removeLast(variables.count - scope)
            return ending
        case .leave(let again): return again ? .continued : .broken
        }
        return .normal
    }

    private mutating func loop(
        _ pipeline: TemplatePipeline,
        _ each: [TemplateNode],
        _ otherwise: [TemplateNode],
        dot: JSON
    ) throws(TemplateError) -> Ending {
        let value = try evaluate(pipeline, dot: dot, binding: false)
        let elements = try TemplateEvaluator.elements(value, pipeline, source)
        if elements.isEmpty { return try run(otherwise, dot: dot) }
        let scope = variables.count
        for (key, element) in elements {
            if let name = pipeline.variables.last { bind(name, element, pipeline.declares) }
            if pipeline.variables.count == 2 { bind(pipeline.variables[0], key, pipeline.declares) }
            let ending = try run(each, dot: element)
            variables.removeLast(variables.count - scope)
            if ending == .broken { break }
        }
        return .normal
    }

    /// What range goes through: an array with its places, an object in the order of its keys, a number's predecessors.
    private static func elements(
        _ value: JSON,
        _ pipeline: TemplatePipeline,
        _ source: TemplateSource
    ) throws(TemplateError) -> [(key: JSON, value: JSON)] {
        switch value {
        case .null: return []
        case .array(let elements): return elements.enumerated().map { (.number($0.offset), $0.element) }
        case .object(let members):
            return members.sorted { $0.key < $1.key }.map { (.string($0.key), $0.value) }
        case .number(let text):
            if let count = Int(text), count < 1 << 20 { return (0..<max(0, count)).map { (.number($0), .number($0)) } }
        default: break
        }
        let range = pipeline.commands.last?.range ?? 0..<0
        throw source.runError(range.lowerBound, range, "range can't iterate over \(TemplatePrinter.inner(value))")
    }

    private mutating func evaluate(
        _ pipeline: TemplatePipeline,
        dot: JSON,
        binding: Bool = true
    ) throws(TemplateError) -> JSON {
        var value: JSON?
        for command in pipeline.commands { value = try evaluate(command, dot: dot, last: value) }
        let result = value ?? .null
        if binding, let name = pipeline.variables.first { bind(name, result, pipeline.declares) }
        return result
    }

    private mutating func bind(_ name: String, _ value: JSON, _ declares: Bool) {
        if !declares, let place = variables.lastIndex(where: { $0.name == name }) {
            variables[place].value = value
        } else {
            variables.append((name, value))
        }
    }

    private mutating func evaluate(_ command: TemplateCommand, dot: JSON, last: JSON?) throws(TemplateError) -> JSON {
        let first = command.operands[0]
        guard case .function(let name) = first.base else {
            if command.operands.count > 1 || last != nil {
                throw source.runError(
                    first.place,
                    first.range,
                    "can't give argument to non-function \(source.text(first.range))"
                )
            }
            return try evaluate(first, dot: dot)
        }
        // "and" and "or" stop at the first argument that decides.
        if name == "and" || name == "or" {
            var value: JSON?
            for operand in command.operands.dropFirst() {
                let next = try evaluate(operand, dot: dot)
                if TemplateFunctions.isTrue(next) == (name == "or") { return next }
                value = next
            }
            guard let result = last ?? value else { throw wrongCount(name, command, "want at least 1 got 0") }
            return result
        }
        var arguments: [JSON] = []
        for operand in command.operands.dropFirst() { arguments.append(try evaluate(operand, dot: dot)) }
        if let last { arguments.append(last) }
        return try call(name, arguments, command)
    }

    private func call(_ name: String, _ arguments: [JSON], _ command: TemplateCommand) throws(TemplateError) -> JSON {
        let (least, most) = TemplateFunctions.argumentCounts[name] ?? (0, nil)
        if arguments.count < least || arguments.count > most ?? Int.max {
            let want = most == least ? "want \(least)" : "want at least \(least)"
            throw wrongCount(name, command, "\(want) got \(arguments.count)")
        }
        if keepingText, TemplateFunctions.textFunctions.contains(name) {
            return arguments.first { $0.string != nil } ?? .string("")
        }
        do throws(TemplateFunctions.Failure) {
            return try TemplateFunctions.call(name, arguments)
        } catch {
            throw source.runError(command.range.lowerBound, command.range, "error calling \(name): \(error.message)")
        }
    }

    private func wrongCount(_ name: String, _ command: TemplateCommand, _ counts: String) -> TemplateError {
        source.runError(
            command.range.lowerBound,
            command.operands[0].range,
            "wrong number of args for \(name): \(counts)"
        )
    }

    private mutating func evaluate(_ operand: TemplateOperand, dot: JSON) throws(TemplateError) -> JSON {
        var value: JSON
        switch operand.base {
        case .dot: value = dot
        case .variable(let name): value = variables.last { $0.name == name }?.value ?? .null
        case .literal(let literal): value = literal
        case .nil: value = .null
        case .parenthesis(let pipeline):
            let scope = variables.count
            value = try evaluate(pipeline, dot: dot)
            variables.removeLast(variables.count - scope)
        case .function:
            value = try evaluate(TemplateCommand(operands: [operand], range: operand.range), dot: dot, last: nil)
        }
        for name in operand.fields { value = try field(name, of: value, operand) }
        return value
    }

    /// A key that is missing is an error where it looks like a field of docker's objects ("State"), and no value where
    /// it looks like a label.
    private func field(_ name: String, of value: JSON, _ operand: TemplateOperand) throws(TemplateError) -> JSON {
        switch value {
        case .object(let members):
            if let member = members.last(where: { $0.key == name }) { return member.value }
            if name.first?.isUppercase != true { return .null }
            throw source.runError(operand.place, operand.range, "map has no entry for key \(name.goQuoted)")
        case .null:
            throw source.runError(operand.place, operand.range, "nil pointer evaluating interface {}.\(name)")
        default:
            let type = TemplatePrinter.typeName(value)
            throw source.runError(operand.place, operand.range, "can't evaluate field \(name) in type \(type)")
        }
    }
}
