import OCI

extension IPAddress {
    /// `--dns`.
    init(parsing text: String) throws(ValueError) {
        guard let address = IPAddress(text.trimmed) else {
            throw ValueError("IP address is not correctly formatted: \(text)")
        }
        self = address
    }
}
