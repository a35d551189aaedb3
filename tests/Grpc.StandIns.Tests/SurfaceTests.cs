using System.Reflection;
using Grpc.Core;
using Grpc.Net.Client;

namespace InterGuest.StandIns.Tests;

/// <summary>
/// The published packages, compiled against the published Grpc.Core.Api and Grpc.Net.Common, find in the stand-ins
/// all that they use. A newer package that uses more fails here, with a list.
/// </summary>
public class SurfaceTests
{
    [Theory]
    [InlineData("Grpc.AspNetCore.Server", "Grpc.Core.Api", 20)]
    [InlineData("Grpc.AspNetCore.Server", "Grpc.Net.Common", 0)]
    [InlineData("Grpc.Net.Client", "Grpc.Core.Api", 15)]
    [InlineData("Grpc.Net.Client", "Grpc.Net.Common", 0)]
    public void Every_reference_into_a_stand_in_resolves(string package, string standIn, int overridesAtLeast)
    {
        using AssemblySurface user = Open(package);
        using AssemblySurface target = Open(standIn);
        List<string> problems = [];

        (int types, int members, int overrides) = user.Check(target, problems);

        Assert.True(problems.Count == 0, string.Join(Environment.NewLine, problems));
        Assert.True(types > 0 && members > 0, "no references were looked at");
        Assert.True(overrides >= overridesAtLeast, $"only {overrides} overrides were looked at");
    }

    [Fact]
    public void What_is_not_there_is_reported()
    {
        using AssemblySurface user = Open("Grpc.Net.Client");
        using var target = new AssemblySurface(typeof(IncompleteStandIn).Assembly.Location, "Grpc.Core.Api");
        List<string> problems = [];

        user.Check(target, problems);

        Assert.Contains("Grpc.Net.Client: type Grpc.Core.Api: Grpc.Core.Metadata+Entry is missing", problems);
        Assert.Contains(
            "Grpc.Net.Client: member Grpc.Core.Api: "
            + "Grpc.Core.ChannelBase: 0 void .ctor(string) is missing with its type",
            problems);
        Assert.Contains(problems, problem => problem.Contains("has nothing to override", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("Grpc.AspNetCore.Server")]
    [InlineData("Grpc.Net.Client")]
    public void The_runtime_loads_every_type(string package)
    {
        // An abstract member that a published class does not implement would throw here.
        Assert.NotEmpty(Assembly.Load(package).GetTypes());
    }

    [Theory]
    [InlineData(typeof(Metadata), "Grpc.Core.Api")]
    [InlineData(typeof(ConnectivityState), "Grpc.Net.Common")]
    public void The_identity_is_the_one_referred_to(Type type, string name)
    {
        AssemblyName own = type.Assembly.GetName();
        AssemblyName wanted = typeof(GrpcChannel).Assembly.GetReferencedAssemblies().Single(a => a.Name == name);

        Assert.Equal(wanted.FullName, own.FullName);
    }

    private static AssemblySurface Open(string name) =>
        new(Path.Combine(AppContext.BaseDirectory, $"{name}.dll"));

    private sealed class IncompleteStandIn;
}
