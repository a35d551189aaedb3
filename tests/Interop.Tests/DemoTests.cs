using InterGuest.Interop.Tests.Harness;
using Xunit.Abstractions;

namespace InterGuest.Interop.Tests;

/// <summary>What the README has a newcomer run first. The demo checks by itself what it shows, and fails if it is not as it should be.</summary>
[Collection("machine")]
public sealed class DemoTests(ITestOutputHelper output)
{
    [VmFact]
    public Task Two_VMs_talk() => ShowAsync();

    [VmFact]
    public Task A_VM_serves_its_disk_to_another() => ShowAsync("block");

    private async Task ShowAsync(params string[] arguments) =>
        output.WriteLine(await Command.MustAsync(Repository.Script("deploy/demo.sh"), arguments, TimeSpan.FromMinutes(8)));
}
