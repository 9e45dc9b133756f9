import Runner

/// `--pull` of `run`: when the image is fetched.
extension PullPolicy {
    init(parsing text: String) throws(ValueError) {
        guard let option = PullPolicy(rawValue: text) else {
            throw ValueError("invalid pull option: '\(text)': must be one of \"always\", \"missing\" or \"never\"")
        }
        self = option
    }
}
