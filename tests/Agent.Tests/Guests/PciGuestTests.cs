namespace InterGuest.Agent.Tests.Guests;

/// <summary>What can be said of PCI devices without having one.</summary>
public sealed class PciGuestTests
{
    [Theory]
    [InlineData("sink", "--pci", "00:01.0", "--port", "x")]
    [InlineData("sink")]
    public async Task Either_a_port_or_a_PCI_device_is_needed(params string[] arguments)
    {
        using var run = new AgentRun(arguments);
        Assert.Equal(2, await run.EndAsync());
        Assert.Contains("one of --port SOCKET and --pci ADDRESS", run.Error, StringComparison.Ordinal);
    }
}
