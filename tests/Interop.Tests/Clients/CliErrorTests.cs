using InterGuest.Interop.Tests.Harness;
using InterGuest.Protos.V1;

namespace InterGuest.Interop.Tests.Clients;

/// <summary>What goes wrong is said on standard error, with the thing's name and the remedy, and the switch lives on.</summary>
public sealed class CliErrorTests(CliErrorTests.Started started) : IClassFixture<CliErrorTests.Started>
{
    private readonly SwitchProcess _switch = started.Switch;

    [Theory]
    [InlineData("port show nobody", "nobody", "port list")]
    [InlineData("port remove nobody", "nobody", "port list")]
    [InlineData("link show nothing", "nothing", "link list")]
    [InlineData("link add m a c", "linked already", "link remove l")]
    [InlineData("link add m c nobody", "nobody", "port list")]
    [InlineData("link add m c c", "two different ports", "")]
    [InlineData("link add l c a", "link l exists already", "link remove l")]
    [InlineData("port add a", "port a exists already", "port remove a")]
    [InlineData("port add x/y", "x/y", "letters")]
    [InlineData("port add d --socket /nowhere/at/all.sock", "/nowhere/at", "Make it")]
    [InlineData("port add d --socket /proc/d.sock", "/proc", "")]
    [InlineData("port add d --queues 1000", "1000", "128")]
    [InlineData("port remove a", "used by link l", "link remove l")]
    public async Task Refused_with_a_reason_and_a_remedy(string command, string names, string remedy)
    {
        var result = await _switch.TryCliAsync(command.Split(' '));
        Assert.Equal(1, result.ExitCode);
        Assert.Empty(result.Output);
        Assert.Contains(names, result.Error, StringComparison.Ordinal);
        Assert.Contains(remedy, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_path_of_108_bytes_is_too_long()
    {
        string path = "/tmp/" + new string('x', 103);
        var result = await _switch.TryCliAsync("port", "add", "d", "--socket", path);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("107 bytes", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_path_in_use_is_left_alone()
    {
        string used = Path.Combine(_switch.Directory, "p", "a.sock");
        var result = await _switch.TryCliAsync("port", "add", "d", "--socket", used);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("in use", result.Error, StringComparison.Ordinal);

        string file = Path.Combine(_switch.Directory, "precious");
        await File.WriteAllTextAsync(file, "data");
        result = await _switch.TryCliAsync("port", "add", "d", "--socket", file);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("not a socket", result.Error, StringComparison.Ordinal);
        Assert.Equal("data", await File.ReadAllTextAsync(file));
    }

    [Fact]
    public async Task A_type_that_there_is_not_is_refused()
    {
        var result = await _switch.TryCliAsync("port", "add", "d", "--type", "toaster");
        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains("toaster", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_errors_are_json()
    {
        var result = await _switch.TryCliAsync("port", "show", "nobody", "--json");
        Assert.Equal(1, result.ExitCode);
        Assert.Equal("NOT_FOUND", System.Text.Json.JsonDocument.Parse(result.Error).RootElement.GetProperty("error").GetProperty("code").GetString());
    }

    /// <summary>A switch with three ports, two of them linked, which every refusal must leave as it is.</summary>
    public sealed class Started : IAsyncLifetime
    {
        public SwitchProcess Switch { get; private set; } = null!;

        public async Task InitializeAsync()
        {
            Switch = await SwitchProcess.StartNewAsync();
            foreach (string port in new[] { "a", "b", "c" })
                await Switch.CliAsync("port", "add", port);
            await Switch.CliAsync("link", "add", "l", "a", "b");
        }

        public async Task DisposeAsync()
        {
            var status = await Switch.Client().GetStatusAsync(new GetStatusRequest());
            Assert.Equal(["a", "b", "c"], status.Ports.Select(p => p.Name));
            Assert.Equal(["l"], status.Links.Select(l => l.Name));
            Assert.Equal(0, await Switch.TerminateAsync());
            await Switch.DisposeAsync();
        }
    }
}
