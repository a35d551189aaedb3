using InterGuest.Interop.Tests.Harness;

namespace InterGuest.Interop.Tests.Clients;

/// <summary>A real bash with the script of `interguest completion bash`, and the programs as users have them.</summary>
public sealed class CompletionTests
{
    private const string Tab = """
        source <(interguest completion bash)
        COMP_LINE=$1 COMP_POINT=${#1}
        read -ra COMP_WORDS <<<"$1"
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _interguest
        printf '%s\n' "${COMPREPLY[@]}"
        """;

    [Theory]
    [InlineData("interguest port se", "set")]
    [InlineData("interguest port set --bu", "--burst")]
    [InlineData("interguest-agent ser", "serve-block")]
    [InlineData("interguest-switch --me", "--metrics")]
    public async Task Bash_completes_all_three_programs(string line, string completed)
    {
        await Repository.BuildAsync();
        string bin = Path.GetDirectoryName(Repository.Program("interguest"))!;
        var environment = new Dictionary<string, string> { ["PATH"] = $"{bin}:{Environment.GetEnvironmentVariable("PATH")}" };
        Assert.Equal(completed, await Command.MustAsync("bash", ["-c", Tab, "bash", line], environment: environment));
    }
}
