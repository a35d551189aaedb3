using System.Diagnostics;
using InterGuest.Cli.Tests.Fakes;
using InterGuest.Protos.V1;

namespace InterGuest.Cli.Tests;

/// <summary>The program as it is run: standard output, exit codes, signals, a shell's completion.</summary>
[Collection(ProcessCollection.Name)]
public class ProcessTests : SwitchTest
{
    // The copy beside the tests lacks what the web framework brings, so it runs as the tests do.
    private static string Program =>
        $"dotnet exec --runtimeconfig '{Beside("InterGuest.Cli.Tests.runtimeconfig.json")}' "
        + $"--depsfile '{Beside("InterGuest.Cli.Tests.deps.json")}' '{Beside("interguest.dll")}'";

    [Fact]
    public async Task OutputThatIsNotATerminalIsPlain()
    {
        Control.Ports.Add(Samples.Running("a"));
        (int exitCode, string output, string error) = await BashAsync("interguest port list");
        Assert.Equal(
            "NAME  TYPE  STATE    LINK  QUEUES  SOCKET\n" +
            "a     net   running  lan   1/2     /run/interguest/a.sock\n", output);
        Assert.Equal("", error);
        Assert.Equal(0, exitCode);
    }

    [Fact]
    public async Task AScriptGetsTheSocket() =>
        Assert.Equal("[/run/ig/a.sock]\n",
            (await BashAsync("SOCKET=$(interguest port add a); echo \"[$SOCKET]\"")).Output);

    [Fact]
    public async Task CommandsOfOneScriptDoNotOverwriteEachOthersOutput()
    {
        (_, string output, _) = await BashAsync(
            "f=$(mktemp); { interguest port list; interguest link list; } > $f; cat $f; rm $f");
        Assert.Equal(2, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public async Task AWatchWithoutAReaderEnds()
    {
        Task<(int ExitCode, string Output, string Error)> bash =
            BashAsync("interguest watch | head -n 1; echo ${PIPESTATUS[0]}");
        await Task.WhenAny(Control.Asked, bash);
        // The first is read; a later one meets the closed pipe.
        while (!bash.IsCompleted)
        {
            await Control.Events.WriteAsync(new Event { Text = "hello" });
            await Task.WhenAny(bash, Control.NextEventSent());
        }
        Assert.Matches("hello\n0\n$", (await bash).Output);
        Assert.Equal("", (await bash).Error);
    }

    [Theory]
    [InlineData("INT", "watch", 0)]
    [InlineData("INT", "port list", 130)]
    [InlineData("TERM", "port list", 143)]
    public async Task SignalsEndItQuietly(string signal, string command, int exitCode)
    {
        Control.Silent = command != "watch";
        // Who runs the tests in the background of a script has them ignore SIGINT, and their children with them.
        Task<(int ExitCode, string Output, string Error)> program =
            BashAsync($"exec env --default-signal=INT {Program} {command}", out Process process);
        int id = process.Id;
        await Task.WhenAny(Control.Asked, program);
        using Process kill = Process.Start("sh", ["-c", $"kill -{signal} {id}"]);
        Assert.Equal((exitCode, "", ""), await program);
    }

    [Fact]
    public async Task ArgumentsForQemuSurviveAShell()
    {
        Control.Ports.Add(Samples.Running("a"));
        Control.Ports[0].SocketPath = "/run/it's, here/a.sock";
        (_, string output, _) = await BashAsync(
            "eval \"printf '%s\\n' $(interguest qemu a --accel tcg --qemu /nowhere 2>/dev/null) last\"");
        string[] words = output.TrimEnd('\n').Split('\n');
        Assert.Equal("last", words[^1]);
        Assert.Equal(15, words.Length);
        Assert.Contains("socket,id=a-char,path=/run/it's,, here/a.sock,reconnect-ms=1000", words);
    }

    [Theory]
    [InlineData("interguest po", "port")]
    [InlineData("interguest port --js", "--json")]
    [InlineData("interguest port x", "")]
    public Task BashCompletes(string line, string expected) => AssertCompletionAsync("", line, expected);

    // With another program in its place: the real one has 300 ms for names, which a busy machine may not have.
    [Theory]
    [InlineData("interguest port show ", "[suggest:21] al<interguest port show > alpha")]
    [InlineData("interguest port show al", "al<interguest port show al> alpha")]
    [InlineData("interguest port show -", "--help")]
    [InlineData("interguest port add x --socket al", "")]
    public Task BashFiltersWhatTheDirectiveAnswers(string line, string expected) => AssertCompletionAsync(
        "interguest() { printf '%s\\n' \"$1\" \"al<$2>\" alpha --help; }; compopt() { :; }", line, expected);

    private async Task AssertCompletionAsync(string program, string line, string expected)
    {
        (_, string output, string error) = await BashAsync(
            $$"""
            source <(interguest completion bash)
            {{program}}
            COMP_LINE="{{line}}"; COMP_POINT=${#COMP_LINE}
            read -ra COMP_WORDS <<< "$COMP_LINE"
            [[ $COMP_LINE == *" " ]] && COMP_WORDS+=("")
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            _interguest
            printf '%s ' "${COMPREPLY[@]}"
            """);
        Assert.Equal("", error);
        Assert.Equal(expected, output.Trim());
    }

    private static string Beside(string name) => Path.Combine(AppContext.BaseDirectory, name);

    private Task<(int ExitCode, string Output, string Error)> BashAsync(string script) => BashAsync(script, out _);

    private Task<(int ExitCode, string Output, string Error)> BashAsync(string script, out Process process)
    {
        var start = new ProcessStartInfo("bash", ["-c", $"interguest() (exec {Program} \"$@\")\n{script}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment = { [Endpoint.Variable] = Switch.Endpoint },
        };
        process = Process.Start(start)!;
        return FinishAsync(process);
    }

    private static async Task<(int ExitCode, string Output, string Error)> FinishAsync(Process process)
    {
        using (process)
        {
            using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(120));
            Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token);
            Task<string> error = process.StandardError.ReadToEndAsync(limit.Token);
            await process.WaitForExitAsync(limit.Token);
            return (process.ExitCode, await output, await error);
        }
    }
}
