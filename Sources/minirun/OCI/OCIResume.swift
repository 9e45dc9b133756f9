import Runtime

/// `minirun oci resume`
enum OCIResume {
    static let verb = OCIVerb(
        "resume",
        "resumes all processes that have been previously paused",
        run: { call in
            try call.runtime().resume(try call.id())
            return 0
        }
    )
}
