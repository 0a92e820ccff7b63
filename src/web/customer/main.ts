/** Starts the customer page. */
import { mount } from "svelte";
import App from "./App.svelte";

const code = new URLSearchParams(location.search).get("code") ?? undefined;
mount(App, { target: document.body, props: { code } });
