using System.Diagnostics;
using InterGuest.Switch.Tests;
using InterGuest.Virtio.Native;

namespace InterGuest.Agent.Tests.Block;

/// <summary>What the command says of images that cannot be served, and how servers of one image keep apart.</summary>
public sealed class ServeBlockCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public Task A_file_that_is_not_there() => FailsAsync(_directory.At("none"), "No such file");

    [Fact]
    public Task A_directory() => FailsAsync(_directory.Root, "directory");

    [Fact]
    public Task A_character_device() => FailsAsync("/dev/null", "neither a file nor a block device");

    [Fact]
    public Task A_size_that_is_not_whole_sectors() => FailsAsync(Image("odd", 1000), "1000 bytes, which is not a multiple of 512: truncate -s 1024");

    [Fact]
    public Task An_empty_file() => FailsAsync(Image("empty", 0), "truncate -s 10G");

    [Fact]
    public async Task Read_only_and_cached_contradict_each_other()
    {
        using var run = new AgentRun("serve-block", "--port", "x", "--image", "y", "--read-only", "--cached");
        Assert.Equal(2, await run.EndAsync());
    }

    [Fact] // docs/block-serving.md, section 4, "Fencing"
    public async Task A_second_server_waits_until_the_first_is_gone()
    {
        string image = Image("disk", 4096);
        using var first = new AgentRun("serve-block", "--port", _directory.At("no.sock"), "--image", image);
        first.Says("4096 bytes");
        using var second = new AgentRun("serve-block", "--port", _directory.At("no.sock"), "--image", image);
        second.Says("in use by another program");
        Assert.DoesNotContain("4096 bytes", second.Error, StringComparison.Ordinal);
        Assert.Equal(0, await first.InterruptAsync());
        second.Says("4096 bytes");
        Assert.Equal(0, await second.InterruptAsync());
    }

    [Fact]
    public async Task Readers_share_an_image_and_a_writer_waits_for_them()
    {
        string image = Image("disk", 4096);
        string[] arguments = ["serve-block", "--port", _directory.At("no.sock"), "--image", image];
        using var first = new AgentRun([.. arguments, "--read-only"]);
        using var second = new AgentRun([.. arguments, "--read-only"]);
        first.Says("read-only");
        second.Says("read-only");
        using var writer = new AgentRun(arguments);
        writer.Says("in use by another program");
        Assert.Equal(0, await writer.InterruptAsync());
    }

    [Fact]
    public void A_process_that_is_killed_gives_its_lock_back()
    {
        string image = Image("disk", 4096);
        string agent = Path.Combine(AppContext.BaseDirectory, "interguest-agent.dll");
        var start = new ProcessStartInfo("dotnet", [agent, "serve-block", "--port", _directory.At("no.sock"), "--image", image]) { RedirectStandardError = true };
        using var process = Process.Start(start)!;
        string? line;
        do
            line = process.StandardError.ReadLine();
        while (line != null && !line.Contains("4096 bytes", StringComparison.Ordinal));
        using var file = ImageFile.Open(image, ImageMode.Durable);
        Assert.False(file.TryLock());
        process.Kill();
        process.WaitForExit();
        Assert.True(file.TryLock());
    }

    private static async Task FailsAsync(string image, string why)
    {
        using var run = new AgentRun("serve-block", "--port", "x", "--image", image);
        Assert.Equal(1, await run.EndAsync());
        Assert.Contains(image, run.Error, StringComparison.Ordinal);
        Assert.Contains(why, run.Error, StringComparison.Ordinal);
    }

    private string Image(string name, int bytes)
    {
        File.WriteAllBytes(_directory.At(name), new byte[bytes]);
        return _directory.At(name);
    }
}
