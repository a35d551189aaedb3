namespace InterGuest.Agent.Tests;

/// <summary>A test that makes network interfaces: it needs root, a tun driver and the ip command.</summary>
public sealed class RootFact : FactAttribute
{
    public RootFact()
    {
        if (!Environment.IsPrivilegedProcess || !File.Exists("/dev/net/tun"))
            Skip = "needs root and /dev/net/tun";
    }
}
