using InterGuest.Switch.Tests;

namespace InterGuest.Agent.Tests;

/// <summary>Wrong command lines are answered in a sentence that names the option.</summary>
public sealed class CommandLineTests
{
    [Theory]
    [InlineData("one of --port SOCKET and --pci ADDRESS", "ping")]
    [InlineData("--size: '59' is not a whole number from 60 to 65535", "ping", "--port", "x", "--size", "59")]
    [InlineData("--interval: '5' is not a duration", "ping", "--port", "x", "--interval", "5")]
    [InlineData("--queue: '100' is not a power of two", "blast", "--port", "x", "--queue", "100")]
    [InlineData("frob", "sink", "--port", "x", "frob")]
    public async Task Usage_errors_exit_with_2(string said, params string[] arguments)
    {
        using var run = new AgentRun(arguments);
        Assert.Equal(2, await run.EndAsync());
        Assert.Contains(said, run.Error, StringComparison.Ordinal);
        Assert.Contains("--help'", run.Error, StringComparison.Ordinal);
    }

    /// <summary>What the completion scripts of 'interguest completion' ask.</summary>
    [Fact]
    public async Task It_suggests_how_a_line_goes_on()
    {
        const string line = "interguest-agent ser";
        using var run = new AgentRun($"[suggest:{line.Length}]", line);
        Assert.Equal(0, await run.EndAsync());
        Assert.Equal("serve-block\n", run.Output);
    }

    [Fact]
    public async Task A_socket_path_that_is_too_long_fails()
    {
        using var run = new AgentRun("sink", "--port", "/" + new string('x', 200));
        Assert.Equal(1, await run.EndAsync());
        Assert.Contains("longer than the 107 bytes", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_that_is_no_socket_fails()
    {
        using var directory = new TemporaryDirectory();
        File.WriteAllText(directory.At("file"), "");
        using var run = new AgentRun("sink", "--port", directory.At("file"));
        Assert.Equal(1, await run.EndAsync());
        Assert.Contains(directory.At("file"), run.Error, StringComparison.Ordinal);
    }
}
