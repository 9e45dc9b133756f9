/// `--pull` of `run`: when the image is fetched.
enum PullOption: String, Sendable {
    case always, missing, never

    init(parsing text: String) throws(ValueError) {
        guard let option = PullOption(rawValue: text) else {
            throw ValueError("invalid pull option: '\(text)': must be one of \"always\", \"missing\" or \"never\"")
        }
        self = option
    }
}
