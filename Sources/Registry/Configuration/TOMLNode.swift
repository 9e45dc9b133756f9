/// A table while its document is read: headers may come back to it, and what they may do depends on how it came to be.
final class TOMLNode {
    enum Origin {
        /// Named only on the way to another: `[a]` in `[a.b]`. A header may still define it.
        case implied
        /// By a header, or the document itself.
        case defined
        /// By a dotted key: only dotted keys in the same table add to it.
        case dotted
    }

    private enum Item {
        case value(TOML)
        case table(TOMLNode)
        /// `[[a]]`.
        case tables([TOMLNode])
    }

    private var origin: Origin
    private var items: [(key: String, item: Item, line: Int)] = []
    private var places: [String: Int] = [:]

    init(_ origin: Origin) { self.origin = origin }

    private func item(_ key: String) -> Item? { places[key].map { items[$0].item } }

    private func add(_ key: String, _ item: Item, _ line: Int) {
        places[key] = items.count
        items.append((key, item, line))
    }

    private static func twice(_ key: String, _ parser: TOMLParser) -> TOMLError {
        parser.error("\"\(key)\" is defined twice")
    }

    /// The table on a header's way.
    func below(_ key: String, _ parser: TOMLParser, _ line: Int) throws(TOMLError) -> TOMLNode {
        switch item(key) {
        case nil:
            let node = TOMLNode(.implied)
            add(key, .table(node), line)
            return node
        case .table(let node): return node
        case .tables(let nodes):
            guard let last = nodes.last else { throw TOMLNode.twice(key, parser) }
            return last
        case .value: throw TOMLNode.twice(key, parser)
        }
    }

    /// `[…key]`.
    func defineTable(_ key: String, _ parser: TOMLParser, _ line: Int) throws(TOMLError) -> TOMLNode {
        switch item(key) {
        case nil:
            let node = TOMLNode(.defined)
            add(key, .table(node), line)
            return node
        case .table(let node) where node.origin == .implied:
            node.origin = .defined
            return node
        default: throw TOMLNode.twice(key, parser)
        }
    }

    /// `[[…key]]`.
    func appendTable(_ key: String, _ parser: TOMLParser, _ line: Int) throws(TOMLError) -> TOMLNode {
        let node = TOMLNode(.defined)
        guard let place = places[key] else {
            add(key, .tables([node]), line)
            return node
        }
        guard case .tables(var nodes) = items[place].item else { throw TOMLNode.twice(key, parser) }
        // The array must not be shared while it grows: thousands of tables would be copied thousands of times.
        items[place].item = .tables([])
        nodes.append(node)
        items[place].item = .tables(nodes)
        return node
    }

    /// The table on a dotted key's way.
    func dotted(_ key: String, _ parser: TOMLParser, _ line: Int) throws(TOMLError) -> TOMLNode {
        switch item(key) {
        case nil:
            let node = TOMLNode(.dotted)
            add(key, .table(node), line)
            return node
        case .table(let node) where node.origin == .dotted: return node
        default: throw TOMLNode.twice(key, parser)
        }
    }

    func set(_ key: String, _ value: TOML, _ parser: TOMLParser, _ line: Int) throws(TOMLError) {
        guard places[key] == nil else { throw TOMLNode.twice(key, parser) }
        add(key, .value(value), line)
    }

    var frozen: TOML.Table {
        TOML.Table(
            items.map { entry in
                let value: TOML =
                    switch entry.item {
                    case .value(let value): value
                    case .table(let node): .table(node.frozen)
                    case .tables(let nodes): .array(nodes.map { .table($0.frozen) })
                    }
                return TOML.Table.Entry(key: entry.key, value: value, line: entry.line)
            }
        )
    }
}
