/// Where the program starts. Synchronous on purpose: an async root would start threads before the first clone.
@main
struct Main {
    static func main() {}
}
