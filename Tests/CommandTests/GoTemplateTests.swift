import OCI
import Testing

@testable import minirun

/// What docker 28.2.2 gave for the same templates, where a template does not need a container.
@Suite struct GoTemplateTests {
    static let value: JSON = [
        "Id": "abc", "Name": "/web", "Count": 3, "Size": .number("1.5"), "Empty": "", "Nothing": .null,
        "State": ["Running": true, "ExitCode": 0, "Status": "running"],
        "Config": ["Env": ["A=1", "B=2"], "Labels": ["b": "2", "a": "1"], "Cmd": .null],
        "Mounts": [["Source": "/a", "RW": true], ["Source": "/b", "RW": false]],
        "Networks": ["bridge": ["IP": "10.0.0.2"]],
    ]

    static let good: [(String, String)] = [
        ("plain", "plain"),
        ("{{.Id}}", "abc"),
        ("{{ .State.Running }}", "true"),
        ("{{.State.ExitCode}}", "0"),
        ("{{.Size}}", "1.5"),
        ("{{.Nothing}}", "<no value>"),
        ("{{.Config.Env}}", "[A=1 B=2]"),
        ("{{.Config.Labels}}", "map[a:1 b:2]"),
        ("{{.Config.Labels.a}}", "1"),
        ("{{.Config.Labels.missing}}", "<no value>"),
        ("{{index .Config.Labels \"a\"}}", "1"),
        ("{{index .Config.Labels \"x\"}}", ""),
        ("{{index .Config.Env 1}}", "B=2"),
        ("{{(index .Mounts 0).Source}}", "/a"),
        ("{{index .Networks \"bridge\" \"IP\"}}", "10.0.0.2"),
        ("{{json .State}}", "{\"Running\":true,\"ExitCode\":0,\"Status\":\"running\"}"),
        ("{{json .Config.Cmd}}", "null"),
        ("{{.State | json}}", "{\"Running\":true,\"ExitCode\":0,\"Status\":\"running\"}"),
        ("{{range .Config.Env}}[{{.}}]{{end}}", "[A=1][B=2]"),
        ("{{range $i, $e := .Config.Env}}{{$i}}:{{$e}};{{end}}", "0:A=1;1:B=2;"),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=1;b=2;"),
        ("{{range .Config.Cmd}}x{{else}}none{{end}}", "none"),
        ("{{range .Mounts}}{{.Source}} {{$.Id}} {{end}}", "/a abc /b abc "),
        ("{{range 3}}{{.}}{{end}}", "012"),
        ("{{range $x := .Config.Env}}{{if eq $x \"A=1\"}}{{continue}}{{end}}{{$x}}{{end}}", "B=2"),
        ("{{range .Config.Env}}{{.}}{{break}}{{end}}", "A=1"),
        ("{{if .State.Running}}up{{else}}down{{end}}", "up"),
        ("{{if .Empty}}x{{else if .Count}}y{{else}}z{{end}}", "y"),
        ("{{if and .State.Running (eq .Count 3)}}y{{end}}", "y"),
        ("{{if not .Empty}}y{{end}}", "y"),
        ("{{with .State}}{{.Status}}{{end}}", "running"),
        ("{{with $s := .State}}{{$s.Status}}{{.Running}}{{end}}", "runningtrue"),
        ("{{with .Empty}}a{{else}}b{{end}}", "b"),
        ("{{with \"\"}}a{{else with \"b\"}}{{.}}{{end}}", "b"),
        ("{{$x := \"a\"}}{{$x = \"b\"}}{{$x}}", "b"),
        ("{{$x := 1}}{{if true}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{$x := 1}}{{if true}}{{$x := 2}}{{end}}{{$x}}", "1"),
        ("{{and 1 0 2}}", "0"), ("{{or 0 \"\" \"x\"}}", "x"), ("{{not 1}}", "false"),
        ("{{or true (index .Config.Env 9)}}", "true"),
        ("{{eq 1 2 1}}", "true"), ("{{ne 3 2}}{{lt 1 2}}{{le 2 2}}{{gt 3 2}}{{ge 3 2}}", "truetruetruetruetrue"),
        ("{{lt \"a\" \"b\"}}", "true"), ("{{len .Config.Env}}{{len .Id}}", "23"),
        ("{{slice \"abcdef\" 1 3}}", "bc"), ("{{index \"abc\" 1}}", "98"),
        ("{{print 1 2 \"a\" 3}}", "1 2a3"), ("{{println 1 \"a\"}}", "1 a\n"), ("{{print}}", ""),
        (
            "{{printf \"%5d|%-5s|%05d|%q|%v|%t|%x\" 3 \"a\" 42 \"q\" 1.5 true 255}}",
            "    3|a    |00042|\"q\"|1.5|true|ff"
        ),
        ("{{printf \"%.2f %8.3f %+d %%\" 1.234 2.5 7}}", "1.23    2.500 +7 %"),
        ("{{printf \"%d\" \"x\"}}", "%!d(string=x)"), ("{{printf \"%s\" 1}}", "%!s(int=1)"),
        ("{{printf \"%d\"}}", "%!d(MISSING)"), ("{{printf \"%d\" 1 2}}", "1%!(EXTRA int=2)"),
        ("{{1 | printf \"%d-%d\" 2}}", "2-1"), ("{{.Id | printf \"%s\" | len}}", "3"),
        ("{{split \"a,b,c\" \",\"}}", "[a b c]"), ("{{json (split \"a,b\" \",\")}}", "[\"a\",\"b\"]"),
        ("{{join .Config.Env \" \"}}", "A=1 B=2"), ("{{join .Config.Cmd \",\"}}", ""),
        ("{{upper .Id}}{{lower \"ABC\"}}{{title \"hello wORLD-x a_b\"}}", "ABCabcHello WORLD-X A_b"),
        ("{{pad \"a\" 2 3}}|{{pad \"\" 2 3}}|", "  a   ||"),
        ("{{truncate \"abcdef\" 3}}{{truncate \"ab\" 3}}", "abcab"),
        ("{{json \"<a&b>\"}}", "\"<a&b>\""),
        ("a {{- \"b\" -}} c", "abc"), ("a {{/* no */}} b", "a  b"), ("a {{- /* no */ -}} b", "ab"),
        ("{{\"a\\tb\\u00e9\\x41\"}}{{`\\t`}}", "a\tbéA\\t"),
        ("{{'a'}} {{0x10}} {{1e3}} {{-2}} {{1.5}}", "97 16 1000 -2 1.5"),
        ("{{true}}{{(.State).Status}}{{$.Id}}", "truerunningabc"),
        ("{{range .Mounts}}\n{{- .Source}}{{end}}", "/a/b"),
    ]

    @Test(arguments: good) func renders(_ template: String, _ text: String) throws {
        #expect(try GoTemplate(template).render(Self.value) == text)
    }

    static let bad: [(String, String)] = [
        ("{{.Foo}}", "template: :1:2: executing \"\" at <.Foo>: map has no entry for key \"Foo\""),
        ("{{.State.Foo}}", "template: :1:8: executing \"\" at <.State.Foo>: map has no entry for key \"Foo\""),
        ("ab\n {{.Foo}}", "template: :2:3: executing \"\" at <.Foo>: map has no entry for key \"Foo\""),
        ("{{.Id.X}}", "template: :1:5: executing \"\" at <.Id.X>: can't evaluate field X in type string"),
        ("{{.Nothing.X}}", "template: :1:10: executing \"\" at <.Nothing.X>: nil pointer evaluating interface {}.X"),
        (
            "{{index .Config.Env 9}}",
            "template: :1:2: executing \"\" at <index .Config.Env 9>: error calling index: index out of range: 9"
        ),
        ("{{len 3}}", "template: :1:2: executing \"\" at <len 3>: error calling len: len of type int"),
        (
            "{{eq 1 \"a\"}}",
            "template: :1:2: executing \"\" at <eq 1 \"a\">: error calling eq: incompatible types for comparison"
        ),
        (
            "{{join \"a\" \",\"}}",
            "template: :1:2: executing \"\" at <join \"a\" \",\">: error calling join: expected slice, got string"
        ),
        ("{{upper}}", "template: :1:2: executing \"\" at <upper>: wrong number of args for upper: want 1 got 0"),
        ("{{range .Id}}{{end}}", "template: :1:8: executing \"\" at <.Id>: range can't iterate over abc"),
        (
            "{{.Id \"x\"}}", "template: :1:2: executing \"\" at <.Id>: can't give argument to non-function .Id"
        ),
        ("{{.Client", "template: :1: unclosed action"),
        ("{{foo}}", "template: :1: function \"foo\" not defined"),
        ("{{if true}}x", "template: :1: unexpected EOF"),
        ("{{end}}", "template: :1: unexpected {{end}}"),
        ("{{else}}", "template: :1: unexpected {{else}}"),
        ("{{\"x}}", "template: :1: unterminated quoted string"),
        ("{{`x}}", "template: :1: unterminated raw quoted string"),
        ("{{$x}}", "template: :1: undefined variable \"$x\""),
        ("{{if}}", "template: :1: missing value for if"),
        ("\n{{}}", "template: :2: missing value for command"),
        ("{{break}}", "template: :1: {{break}} outside {{range}}"),
        ("{{if 1}}{{else}}{{else}}{{end}}", "template: :1: expected end; found {{else}}"),
        ("{{ .Client.Version}", "template: :1: bad character U+007D '}'"),
        ("{{.a-b}}", "template: :1: bad character U+002D '-'"),
        ("{{#}}", "template: :1: unexpected \"#\" in command"),
        ("{{.Client..X}}", "template: :1: unexpected <.> in operand"),
        ("{{|upper}}", "template: :1: unexpected \"|\" in command"),
        ("{{(1}}", "template: :1: unclosed left paren"),
        ("{{1)}}", "template: :1: unexpected right paren"),
        ("{{1 + 2}}", "template: :1: illegal number syntax: \"+\""),
        ("{{$x, $y := 3}}", "template: :1: too many declarations in command"),
        ("{{/* x", "template: :1: unclosed comment"),
        ("{{/* x */ a}}", "template: :1: comment ends before closing delimiter"),
    ]

    @Test(arguments: bad) func refuses(_ template: String, _ message: String) {
        let error = #expect(throws: TemplateError.self) { try GoTemplate(template).render(Self.value) }
        #expect(error?.message == message)
        #expect(error?.description == "template parsing error: \(message)")
    }

    @Test func headersKeepTheirText() throws {
        let header: JSON = ["ID": "CONTAINER ID", "Names": "NAMES"]
        let template = try GoTemplate(
            "{{lower .ID}} {{json .Names}} {{join .ID \",\"}} {{truncate .ID 3}} {{pad .ID 1 1}}"
        )
        #expect(
            try template.render(header, keepingText: true)
                == "CONTAINER ID NAMES CONTAINER ID CONTAINER ID  CONTAINER ID "
        )
    }

    /// Every prefix of every good template ends, in text or in an error.
    @Test func endsOnAnyPrefix() {
        for (template, _) in Self.good {
            for count in 0...template.count {
                _ = try? GoTemplate(String(template.prefix(count))).render(Self.value)
            }
        }
    }
}
