import OCI

/// How every `inspect` goes about several objects.
enum Inspection {
    /// Prints what was found and then says what was not; the exit code is then 1. A template that is none has docker's
    /// code, 64.
    ///
    /// - Parameters:
    ///   - who: says it. docker's client looks in several places for what may be anything, and in one for what has a type.
    ///   - find: the object with all keys that docker's has, so that a template finds them. What docker leaves out where it
    ///     is empty is left out of the JSON.
    static func run(
        _ names: [String],
        format: String?,
        who: String = "Error response from daemon",
        find: (String) throws -> JSON
    ) throws -> Int32 {
        let format = format ?? ""
        let isTemplate = !format.isEmpty && format != "json"
        if isTemplate {
            do { _ = try GoTemplate(format) } catch { throw CommandLineError(text: "\(error)", exitCode: 64) }
        }
        var objects: [JSON] = []
        var complaints: [String] = []
        for name in names {
            do {
                let object = try find(name)
                objects.append(isTemplate ? object : withoutOptional(object))
            } catch let error as EngineError {
                complaints.append("\(who): \(error.message)\n")
            }
        }
        let text = try InspectFormat.text(format, objects)
        Console.print(text.isEmpty ? "\n" : text)
        Console.complain(complaints.joined())
        return complaints.isEmpty ? 0 : 1
    }

    /// What docker's objects, and their configurations, have only where there is something in it.
    private static let optional: Set<String> = [
        "ExposedPorts", "Healthcheck", "Shell", "SizeRootFs", "SizeRw", "StopSignal", "StopTimeout", "Variant",
    ]

    private static func withoutOptional(_ object: JSON) -> JSON {
        guard let members = object.object else { return object }
        return .object(
            members.compactMap { member in
                if optional.contains(member.key), !TemplateFunctions.isTrue(member.value) { return nil }
                return (member.key, member.key == "Config" ? withoutOptional(member.value) : member.value)
            }
        )
    }
}

extension JSON {
    /// The object with the members of another one in place of its own, and with those that it lacks.
    func overlaid(by other: JSON) -> JSON {
        var members = object ?? []
        for member in other.object ?? [] {
            if let place = members.firstIndex(where: { $0.key == member.key }) {
                members[place] = member
            } else {
                members.append(member)
            }
        }
        return .object(members)
    }
}
