import LinuxSystem
import OCI

/// A unit's properties of a container's settings (org.freedesktop.systemd1(5), systemd.resource-control(5)): a pure
/// translation, the same as runc's.
struct SystemdProperties: Equatable {
    struct Property: Equatable {
        let name: String
        let value: DBusValue
    }

    private(set) var list: [Property] = []

    /// As StartTransientUnit and SetUnitProperties take them: an array of pairs.
    var value: DBusValue {
        .array(of: "(sv)", list.map { .structure([.string($0.name), .variant($0.value)]) })
    }

    mutating func add(_ name: String, _ value: DBusValue) { list.append(Property(name: name, value: value)) }

    /// What a new unit is given besides its limits: a scope is delegated, so that the container may make cgroups in it
    /// and systemd keeps away; everything is counted, whatever is limited.
    init(starting unit: SystemdUnit, pid: UInt32?, description: String) {
        add("Description", .string(description))
        if unit.isSlice {
            add("Wants", .strings([unit.slice]))
        } else {
            add("Slice", .string(unit.slice))
            add("Delegate", .bool(true))
        }
        if let pid { add("PIDs", .array(of: "u", [.uint32(pid)])) }
        for name in ["Memory", "CPU", unit.isUnified ? "IO" : "BlockIO", "Tasks"] {
            add("\(name)Accounting", .bool(true))
        }
        add("DefaultDependencies", .bool(false))
        // A scope that failed would else keep its name until somebody resets it.
        if !unit.isSlice { add("CollectMode", .string("inactive-or-failed")) }
    }

    init() {}

    /// The annotations `org.systemd.property.NAME`, whose values are in GVariant's text format. A name that ends in
    /// "Sec" has seconds, and becomes systemd's own in microseconds.
    mutating func add(annotations: [String: String]) throws(EngineError) {
        let prefix = "org.systemd.property."
        for (key, text) in annotations.sorted(by: { $0.key < $1.key }) where key.hasPrefix(prefix) {
            var name = String(key.dropFirst(prefix.count))
            if let reason = SystemdProperties.fault(ofName: name) {
                throw EngineError(.invalid, "annotation \(key) name incorrect: \(reason)")
            }
            do throws(VariantTextError) {
                var value = try VariantText.parse(text)
                if name.hasSuffix("Sec"), let last = name.dropLast(3).last, last.isLowercase {
                    name = "\(name.dropLast(3))USec"
                    value = try SystemdProperties.microseconds(value)
                }
                add(name, value)
            } catch {
                throw EngineError(.invalid, "annotation \(key)=\(text) value parse error: \(error.reason)")
            }
        }
    }

    private static func fault(ofName name: String) -> String? {
        if name.utf8.count < 3 { return "too short" }
        return name.utf8.allSatisfy { (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
            ? nil : "contains non-alphabetic character"
    }

    private static func microseconds(_ seconds: DBusValue) throws(VariantTextError) -> DBusValue {
        let amount: UInt64? =
            switch seconds {
            case .byte(let number): UInt64(number)
            case .int16(let number): UInt64(exactly: number)
            case .uint16(let number): UInt64(number)
            case .int32(let number): UInt64(exactly: number)
            case .uint32(let number): UInt64(number)
            case .int64(let number): UInt64(exactly: number)
            case .uint64(let number): number
            // Fractions count, of a number that still is one in microseconds.
            case .double(let number) where (0..<1e12).contains(number): nil
            default: throw VariantTextError("not a number")
            }
        if case .double(let number) = seconds { return .uint64(UInt64(number * 1_000_000)) }
        guard let amount else { throw VariantTextError("not a number of seconds") }
        let product = amount.multipliedReportingOverflow(by: 1_000_000)
        return .uint64(product.overflow ? UInt64.max : product.partialValue)
    }
}
