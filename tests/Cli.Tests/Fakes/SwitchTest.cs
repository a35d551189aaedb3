namespace InterGuest.Cli.Tests.Fakes;

/// <summary>A test with a fake switch of its own.</summary>
public abstract class SwitchTest : IAsyncLifetime
{
    private FakeSwitch? _switch;

    internal FakeSwitch Switch => _switch!;

    internal FakeControl Control => Switch.Control;

    public async Task InitializeAsync() => _switch = await FakeSwitch.StartAsync();

    public async Task DisposeAsync() => await Switch.DisposeAsync();

    internal CliRun Cli() => Switch.Cli();
}
