namespace InterGuest.Interop.Tests.Harness;

/// <summary>A pair of VMs that is booted once for all tests of a class.</summary>
public sealed class BootedPair : IAsyncLifetime
{
    public VmPair Pair { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        if (new VmFactAttribute().Skip == null)
            Pair = await VmPair.BootAsync();
    }

    public async Task DisposeAsync()
    {
        if (Pair != null)
            await Pair.DisposeAsync();
    }
}
