import Testing

@testable import Build

@Suite("Plan: warnings") struct WarningTests {
    static let cases: [(String, [String])] = [
        ("FROM a AS Big", ["StageNameCasing: Stage name 'Big' should be lowercase (line 1)"]),
        ("FROM a as b", ["FromAsCasing: 'as' and 'FROM' keywords' casing do not match (line 1)"]), ("from a as b", []),
        (
            "FROM a\nRUN b \\\n\n c",
            ["NoEmptyContinuation: Empty continuation line (line 4)"]
        ),
        (
            "FROM a\nrun b\nRUN c",
            [
                "ConsistentInstructionCasing: Command 'run' should match the case of the command majority (uppercase) (line 2)"
            ]
        ),
        (
            "from a\nrun b\nRUN c",
            [
                "ConsistentInstructionCasing: Command 'RUN' should match the case of the command majority (lowercase) (line 3)"
            ]
        ),
        (
            "FROM a AS b\nFROM c AS b",
            ["DuplicateStageName: Duplicate stage name \"b\", stage names should be unique (line 2)"]
        ),
        (
            "FROM a AS context",
            ["ReservedStageName: Stage name should not use the same name as reserved stage \"context\" (line 1)"]
        ),
        (
            "FROM a\nCMD b",
            [
                "JSONArgsRecommended: JSON arguments recommended for CMD to prevent unintended behavior related to OS signals "
                    + "(line 2)"
            ]
        ),
        ("FROM a\nSHELL [\"bash\", \"-c\"]\nCMD b", []),
        (
            "FROM a\nMAINTAINER b",
            ["MaintainerDeprecated: Maintainer instruction is deprecated in favor of using label (line 2)"]
        ),
        (
            "ARG BASE=a\nFROM ${BSE:-x}",
            ["UndefinedArgInFrom: FROM argument 'BSE' is not declared (did you mean BASE?) (line 2)"]
        ),
        (
            "FROM a\nWORKDIR b\nWORKDIR c",
            [
                "WorkdirRelativePath: Relative workdir \"b\" can have unexpected results if the base image changes (line 2)"
            ]
        ),
        ("FROM a\nWORKDIR /b\nWORKDIR c", []),
        (
            "FROM a\nENV NAME=x\nCOPY $NAEM /\nARG DECLARED\nUSER $DECLARED$NAEM",
            [
                "UndefinedVar: Usage of undefined variable '$NAEM' (did you mean $NAME?) (line 3)",
                "UndefinedVar: Usage of undefined variable '$NAEM' (did you mean $NAME?) (line 5)",
            ]
        ),
        (
            "FROM a\nCMD [\"b\"]\nCMD [\"c\"]",
            [
                "MultipleInstructionsDisallowed: Multiple CMD instructions should not be used in the same stage because only "
                    + "the last one will be used (line 2)"
            ]
        ),
        (
            "FROM a\nENV b c",
            [
                "LegacyKeyValueFormat: \"ENV key=value\" should be used instead of legacy \"ENV key value\" format (line 2)"
            ]
        ),
        (
            "FROM --platform=$TARGETPLATFORM a",
            [
                "RedundantTargetPlatform: Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the "
                    + "default behavior (line 1)"
            ]
        ),
        (
            "FROM --platform=linux/arm64 a",
            [
                "FromPlatformFlagConstDisallowed: FROM --platform flag should not use constant value \"linux/arm64\" (line 1)"
            ]
        ),
        ("FROM --platform=linux/arm64 a AS x-arm64", []),
        (
            "FROM a\nARG API_KEY\nENV DB_PASSWORD=x PUBLIC_KEY=y KEYBOARD=z",
            [
                "SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ARG \"API_KEY\") (line 2)",
                "SecretsUsedInArgOrEnv: Do not use ARG or ENV instructions for sensitive data (ENV \"DB_PASSWORD\") (line 3)",
            ]
        ),
        (
            "FROM a\nEXPOSE 80/TCP 8080:81",
            [
                "ExposeProtoCasing: Defined protocol '80/TCP' in EXPOSE instruction should be lowercase (line 2)",
                "ExposeInvalidFormat: EXPOSE instruction should not define an IP address or host-port mapping, found '8080:81' "
                    + "(line 2)",
            ]
        ),
        // settings
        ("# check=skip=JSONArgsRecommended\nFROM a\nCMD b", []), ("# check=skip=all\nfrom a\nCMD b", []),
        ("FROM a\n# check=skip=JSONArgsRecommended\nCMD b", []),
        ("FROM a\n# check=skip=UndefinedVar\nUSER $x", []),
    ]

    @Test(arguments: cases) func warns(_ text: String, _ expected: [String]) throws {
        #expect(Set(try Planned.plan(text).warnings.map(\.description)) == Set(expected))
    }

    @Test func defaultsThatNameNoImage() throws {
        let plan = try Planned.plan("ARG BASE\nFROM $BASE", Planned.arguments(["BASE": "a"]))
        let expected = "Default value for ARG $BASE results in empty or invalid base image name"
        #expect(plan.warnings.map(\.message) == [expected])
    }

    @Test func settingsAreRead() throws {
        #expect(try Planned.plan("# check=skip=X;error=true\nFROM a").warningsAreErrors)
        let error = try #require(Planned.error("# check=skp=X\nFROM a"))
        #expect(error.description == "failed to parse check options: invalid check option \"skp\"")
    }

    @Test func rulesHavePages() {
        let url = BuildWarning.Rule.jsonArgsRecommended.url
        #expect(url == "https://docs.docker.com/go/dockerfile/rule/json-args-recommended/")
        #expect(BuildWarning.Rule.undefinedVar.url.hasSuffix("/undefined-var/"))
        #expect(BuildWarning.Rule.secretsUsedInArgOrEnv.url.hasSuffix("/secrets-used-in-arg-or-env/"))
    }
}
