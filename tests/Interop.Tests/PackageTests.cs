using InterGuest.Interop.Tests.Harness;
using Xunit.Abstractions;

namespace InterGuest.Interop.Tests;

/// <summary>The Debian package, made, installed in a copy of this system, used, and purged: tests/package.sh.</summary>
[Collection("machine")]
public sealed class PackageTests(ITestOutputHelper output)
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(12);

    [PackageFact]
    public async Task It_installs_serves_and_leaves_nothing()
    {
        string directory = Path.Combine(Path.GetTempPath(), Path.GetRandomFileName());
        try
        {
            output.WriteLine(await Command.MustAsync(Repository.Script("deploy/package.sh"), [directory], Patience));
            string package = Assert.Single(Directory.GetFiles(directory, "*.deb"));
            string said = await Command.MustAsync(Repository.Script("tests/package.sh"), [package], Patience);
            output.WriteLine(said);
            Assert.Contains("installed, answering after", said, StringComparison.Ordinal);
            Assert.EndsWith("used, purged: nothing is left", said, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }
}
