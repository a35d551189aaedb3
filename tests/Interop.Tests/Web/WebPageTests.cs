using System.Text.RegularExpressions;
using InterGuest.Interop.Tests.Harness;
using InterGuest.Testing;
using InterGuest.Virtio.VhostUser;

namespace InterGuest.Interop.Tests.Web;

/// <summary>The switch's page in a real browser, with guests that talk.</summary>
public sealed partial class WebPageTests
{
    [ChromiumFact]
    public async Task The_page_shows_guests_links_traffic_faults_and_events()
    {
        await using var process = await SwitchProcess.StartNewAsync("--web", "0");
        var page = new Uri(PageAddress().Match(process.Log).Groups[1].Value);
        foreach (string port in new[] { "alice", "bob", "carol", "dave", "eve" })
            await process.CliAsync("port", "add", port);
        await process.CliAsync("link", "add", "cable", "alice", "bob");
        await process.CliAsync("link", "add", "second", "carol", "dave");
        using var alice = TestGuest.Run(Path.Combine(process.Directory, "p", "alice.sock"));
        using var bob = TestGuest.Run(Path.Combine(process.Directory, "p", "bob.sock"));
        using var carol = TestGuest.Run(Path.Combine(process.Directory, "p", "carol.sock"));
        Assert.Throws<IOException>(() => carol.FrontEnd.SetVring(RequestCode.SetVringNum, 0, 3));
        using var stop = new CancellationTokenSource();
        var traffic = Task.Run(() => Talk(alice, bob, stop.Token));
        await using var browser = await Chromium.StartAsync(1280, 1000);
        await browser.OpenAsync(page);

        await browser.UntilAsync("document.querySelector('#connection')?.dataset.state === 'live'");
        await browser.UntilAsync("document.querySelector('[data-link=cable]')?.dataset.state === 'up'");
        await browser.UntilAsync("[...document.querySelectorAll('[data-link=cable] .lane')].every(l => Number(l.dataset.frames) > 0 && !l.classList.contains('quiet'))");
        await browser.UntilAsync("document.querySelector('[data-port=carol]').dataset.state === 'faulted'");
        await browser.UntilAsync("document.querySelector('[data-link=second]').dataset.state === 'waiting'");
        await browser.UntilAsync("document.querySelector('[data-port=dave] .finding')?.dataset.code === 'no_front_end'");
        await browser.UntilAsync("document.querySelector('#unlinked [data-port=eve]') !== null");
        await process.CliAsync("port", "add", "frank");
        await browser.UntilAsync("[...document.querySelectorAll('#events li')].some(e => e.textContent.includes('port frank is listening'))");
        await browser.UntilAsync("[...document.querySelectorAll('[data-link=cable] .history polyline')].every(p => p.getAttribute('points').split(' ').length > 5)");

        foreach (string scheme in new[] { "light", "dark" })
        {
            await browser.PreferAsync(scheme);
            string picture = await browser.ScreenshotAsync($"web-{scheme}.png");
            Assert.True(new FileInfo(picture).Length > 20_000, $"{picture} is empty");
        }
        await stop.CancelAsync();
        await traffic;
        Assert.Empty(browser.Complaints);
    }

    private static void Talk(TestGuest alice, TestGuest bob, CancellationToken stop)
    {
        byte[] large = new byte[1514], small = new byte[60];
        while (!stop.IsCancellationRequested)
        {
            for (int i = 0; i < 20; i++)
                Send(alice, bob, large);
            Send(bob, alice, small);
        }
    }

    private static void Send(TestGuest from, TestGuest to, byte[] frame)
    {
        from.Send(frame);
        to.ReceiveFrame();
        from.Transmit().NextUsed();
    }

    [GeneratedRegex(@"the page is at (http://\S+)")]
    private static partial Regex PageAddress();
}
